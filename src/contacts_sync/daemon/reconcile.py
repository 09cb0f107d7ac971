"""Wanted jobs (the store) against present jobs (the scheduler) -> add, replace, remove. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from contacts_sync.errors import InvalidUsage
from contacts_sync.model import Connection, ConnectionStatus, Schedule
from contacts_sync.timetable import Timetable, compile_schedule, zone_or_utc


@dataclass(frozen=True, slots=True)
class Wanted:
    """Timetables by user id, and what is wrong with a schedule: where the user has no timetable, it is never due."""

    timetables: Mapping[str, Timetable]
    broken: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What to do to the scheduler so that it has just the wanted jobs."""

    add: Mapping[str, Timetable]
    replace: Mapping[str, Timetable]
    remove: frozenset[str]


def effective(connection: Connection, default: Schedule) -> Schedule:
    """The user's own schedule, completed by the configured default; in UTC if its zone is no longer known."""
    return Schedule(connection.cron or default.cron, zone_or_utc(connection.timezone or default.timezone))


def lost_zone(connection: Connection) -> str | None:
    """What is wrong with the user's time zone, or None."""
    zone = connection.timezone
    return f"no such time zone: {zone!r}; UTC holds instead" if zone and zone_or_utc(zone) != zone else None


def wanted(connections: Iterable[Connection], default: Schedule, others: Collection[str] = ()) -> Wanted:
    """Who is to be synced when. Only `connected` users have a job; a broken schedule stops nobody else.

    `others` are due at intervals, not by crontab.
    """
    timetables: dict[str, Timetable] = {}
    broken: dict[str, str] = {}
    for connection in connections:
        if connection.status is not ConnectionStatus.CONNECTED or connection.user_id in others:
            continue
        schedule = effective(connection, default)
        if (why := lost_zone(connection)) is not None:
            broken[connection.user_id] = why
        try:
            timetables[connection.user_id] = compile_schedule(schedule.cron, schedule.timezone)
        except InvalidUsage as error:
            broken[connection.user_id] = str(error)
    return Wanted(timetables, broken)


def reconcile(wanted: Mapping[str, Timetable], present: Mapping[str, Timetable]) -> Reconciliation:
    """Compare by user and timetable."""
    return Reconciliation(
        add={user: table for user, table in wanted.items() if user not in present},
        replace={user: table for user, table in wanted.items() if user in present and present[user] != table},
        remove=frozenset(present.keys() - wanted.keys()),
    )
