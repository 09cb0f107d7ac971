"""When users are synced, as `status` and `schedule` tell it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from contacts_sync.config import Config
from contacts_sync.daemon.reconcile import lost_zone
from contacts_sync.errors import InvalidUsage
from contacts_sync.model import Connection, ConnectionStatus, Schedule
from contacts_sync.timetable import Timetable, compile_schedule, spread_offset


def default_schedule(config: Config) -> Schedule:
    """The schedule of users without one of their own."""
    return Schedule(config.schedule.cron, config.schedule.timezone)


def next_run(
    connection: Connection, schedule: Schedule, at: datetime, config: Config
) -> tuple[datetime | None, str | None]:
    """When the user's next scheduled run starts, and what is wrong with the schedule, or None."""
    if connection.status is not ConnectionStatus.CONNECTED:
        return None, None
    try:
        timetable = compile_schedule(schedule.cron, schedule.timezone)
    except InvalidUsage as error:
        return None, f"never due: {error.message}"
    return _next(timetable, at) + spread_offset(connection.user_id, config.schedule.spread), lost_zone(connection)


@lru_cache(maxsize=1024)
def _next(timetable: Timetable, at: datetime) -> datetime:
    """Thousands of users share a few timetables, and are asked about the same instant."""
    return timetable.next_after(at).at


def in_zone(at: datetime, timezone: str) -> str:
    """An instant on the clock of a time zone, for people."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M %Z")
