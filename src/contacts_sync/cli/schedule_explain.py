"""`contacts-sync schedule explain`: when a user is next synced, and why then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import Frame, json_option, linked, now, pass_frame, user_argument

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import Connection, IntervalSchedule, Schedule
    from contacts_sync.store.engine import Transaction


@click.command("explain")
@user_argument
@json_option
@pass_frame
def command(frame: Frame, user_id: str, as_json: bool) -> None:
    """Tell when USER is synced next, and why then.

    Example: contacts-sync schedule explain alice
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db, read(db) as tx:
        document = _explained(tx, linked(tx, user_id), config)
    if as_json:
        print_json(document)
        return
    say(document["explanation"])
    if document["note"]:
        say(document["note"])


def _explained(tx: Transaction, connection: Connection, config: Config) -> dict[str, Any]:
    from contacts_sync.cli.output import instant
    from contacts_sync.cli.timing import default_schedule, in_zone, schedule_document
    from contacts_sync.daemon.agenda import next_run
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.store import interval_schedules

    schedule = effective(connection, default_schedule(config))
    at_intervals = interval_schedules.get(tx, connection.user_id)
    at, broken = next_run(connection, schedule, at_intervals, now(), config.schedule.spread)
    return {
        **schedule_document(connection, schedule, at_intervals),
        "status": str(connection.status),
        "next_run_at": instant(at),
        "next_run_local": in_zone(at, schedule.timezone) if at else None,
        "explanation": _explanation(connection, schedule, at_intervals, at, config.schedule.spread),
        "note": _note(tx, connection, broken, config),
    }


def _explanation(
    connection: Connection,
    schedule: Schedule,
    at_intervals: IntervalSchedule | None,
    at: datetime | None,
    spread: timedelta,
) -> str:
    """`next 2026-11-25 03:12 Europe/Berlin: adaptive, 5 quiet runs, interval 36 h`."""
    from zoneinfo import ZoneInfo

    from contacts_sync.daemon.agenda import in_words, spelled
    from contacts_sync.timetable import spread_offset

    why = in_words(connection, schedule, at_intervals)
    by_crontab = at_intervals is None or at_intervals.bounds is None
    if at is None:
        return f"not due: {why}"
    if at_intervals and at_intervals.hourly_until and at_intervals.hourly_until >= at:
        why = f"hourly for the first day; from then on {why}"
    elif by_crontab and (offset := spread_offset(connection.user_id, spread)):
        why += f", {spelled(offset)} into schedule.spread"
    when = "next" if at > now() else "due since"  # by a daemon that doesn't run
    return f"{when} {at.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M} {schedule.timezone}: {why}"


def _note(tx: Transaction, connection: Connection, broken: str | None, config: Config) -> str | None:
    """What keeps the user from being synced then, as `status` tells it."""
    from contacts_sync.cli.notes import note_for
    from contacts_sync.daemon.liveness import alive
    from contacts_sync.store import health, nodes, shared_clock

    user, at = connection.user_id, shared_clock.asked(tx, now())
    daemon = any(node.role == "daemon" and alive(node, at, config.daemon.heartbeat) for node in nodes.every(tx))
    latest = next(iter(health.history(tx, user, limit=1)), None)
    active = latest if latest and not latest.status.ended else None
    return note_for(
        connection,
        closed=None,
        broken=broken,
        pause=nodes.pause(tx),
        active=active,
        latest=None if active else latest,
        daemon=daemon,
        now=now(),
    )
