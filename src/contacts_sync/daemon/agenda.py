"""When a user is synced next, and why then, as commands and pages tell it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from contacts_sync.config import format_duration
from contacts_sync.daemon.reconcile import lost_zone
from contacts_sync.errors import InvalidUsage
from contacts_sync.model import Connection, ConnectionStatus, IntervalSchedule, Schedule
from contacts_sync.timetable import Timetable, compile_schedule, spread_offset


def next_run(
    connection: Connection, schedule: Schedule, at_intervals: IntervalSchedule | None, at: datetime, spread: timedelta
) -> tuple[datetime | None, str | None]:
    """When the user's next scheduled run starts, and what is wrong with the schedule, or None."""
    if connection.status is not ConnectionStatus.CONNECTED:
        return None, None
    if at_intervals and at_intervals.interval:
        return at_intervals.next_slot_at, None
    try:
        timetable = compile_schedule(schedule.cron, schedule.timezone)
    except InvalidUsage as error:
        return None, f"never due: {error.message}"
    by_crontab = _next(timetable, at) + spread_offset(connection.user_id, spread)
    hourly = at_intervals.next_slot_at if at_intervals else None
    return min(by_crontab, hourly) if hourly else by_crontab, lost_zone(connection)


@lru_cache(maxsize=1024)
def _next(timetable: Timetable, at: datetime) -> datetime:
    """Thousands of users share a few timetables, and are asked about the same instant."""
    return timetable.next_after(at).at


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
