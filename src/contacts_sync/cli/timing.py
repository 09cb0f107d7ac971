"""When users are synced, and why then, as `status` and `schedule` tell it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from contacts_sync.cli.output import instant
from contacts_sync.config import Config, format_duration
from contacts_sync.errors import InvalidUsage
from contacts_sync.model import Connection, ConnectionStatus, IntervalSchedule, Schedule
from contacts_sync.timetable import Timetable, compile_schedule, spread_offset


def default_schedule(config: Config) -> Schedule:
    """The schedule of users without one of their own."""
    return Schedule(config.schedule.cron, config.schedule.timezone)


def next_run(
    connection: Connection, schedule: Schedule, at_intervals: IntervalSchedule | None, at: datetime, config: Config
) -> tuple[datetime | None, str | None]:
    """When the user's next scheduled run starts, and what is wrong with the schedule, or None."""
    if connection.status is not ConnectionStatus.CONNECTED:
        return None, None
    if at_intervals and at_intervals.interval:
        return at_intervals.next_slot_at, None
    try:
        timetable = compile_schedule(schedule.cron, schedule.timezone)
    except InvalidUsage as error:
        return None, error.message
    by_crontab = _next(timetable, at) + spread_offset(connection.user_id, config.schedule.spread)
    hourly = at_intervals.next_slot_at if at_intervals else None
    return min(by_crontab, hourly) if hourly else by_crontab, None


@lru_cache(maxsize=1024)
def _next(timetable: Timetable, at: datetime) -> datetime:
    """Thousands of users share a few timetables, and are asked about the same instant."""
    return timetable.next_after(at).at


def in_zone(at: datetime, timezone: str) -> str:
    """An instant on the clock of a time zone, for people."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M %Z")


def schedule_document(
    connection: Connection, schedule: Schedule, at_intervals: IntervalSchedule | None
) -> dict[str, Any]:
    """A user's schedule as JSON shows it: `cron` is null, and `interval` isn't, for one who is due at intervals."""
    bounds = at_intervals.bounds if at_intervals else None
    known = at_intervals if bounds else None
    return {
        "user_id": connection.user_id,
        "kind": kind_of(connection, at_intervals),
        "cron": None if bounds else schedule.cron,
        "timezone": schedule.timezone,
        "interval": format_duration(known.interval) if known and known.interval else None,
        "min": format_duration(bounds.shortest) if bounds else None,
        "max": format_duration(bounds.longest) if bounds else None,
        "quiet_runs": known.quiet_runs if known else None,
        "hourly_until": instant(at_intervals.hourly_until) if at_intervals else None,
    }


def kind_of(connection: Connection, at_intervals: IntervalSchedule | None) -> str:
    """`adaptive`, `every`, `cron`, or `default` for the configured schedule."""
    if at_intervals and at_intervals.bounds:
        return "every" if at_intervals.bounds.are_fixed else "adaptive"
    return "default" if connection.cron is None else "cron"


def in_words(connection: Connection, schedule: Schedule, at_intervals: IntervalSchedule | None) -> str:
    """A user's schedule for people: `adaptive, 5 quiet runs, interval 36 h`."""
    kind = kind_of(connection, at_intervals)
    if kind == "default":
        return f"the configured schedule, cron {schedule.cron}"
    if kind == "cron" or at_intervals is None or at_intervals.interval is None:
        return f"an own schedule, cron {schedule.cron}"
    interval = spelled(at_intervals.interval)
    if kind == "every":
        return f"every {interval}"
    quiet = at_intervals.quiet_runs
    return f"adaptive, {quiet} quiet run{'' if quiet == 1 else 's'}, interval {interval}"


def spelled(length: timedelta) -> str:
    """A duration for people: `36 h`."""
    short = format_duration(length)
    number = short.rstrip("dhms")
    return f"{number} {short.removeprefix(number).replace('m', 'min')}"
