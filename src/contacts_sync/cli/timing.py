"""When users are synced, as `status` and `schedule` tell it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contacts_sync.cli.output import instant
from contacts_sync.config import Config, format_duration
from contacts_sync.daemon.agenda import kind_of
from contacts_sync.model import Connection, IntervalSchedule, Schedule


def default_schedule(config: Config) -> Schedule:
    """The schedule of users without one of their own."""
    return Schedule(config.schedule.cron, config.schedule.timezone)


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
