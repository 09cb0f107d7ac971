"""`contacts-sync schedule`: who is synced when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import (
    Frame,
    checked_user_id,
    json_option,
    linked,
    now,
    pass_frame,
    user_argument,
)
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from collections.abc import Callable

    from contacts_sync.config import Config
    from contacts_sync.model import Schedule
    from contacts_sync.store.engine import Transaction


@click.group("schedule")
def command() -> None:
    """Show and change who is synced when."""


@command.command("show")
@click.argument("user_id", metavar="[USER]", required=False)
@json_option
@pass_frame
def show(frame: Frame, user_id: str | None, as_json: bool) -> None:
    """Show schedules and next runs.

    Example: contacts-sync schedule show
    """
    from contacts_sync.cli.output import instant, print_json, print_table
    from contacts_sync.cli.status import next_run
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db, read(db) as tx:
        if user_id is not None:
            found = [linked(tx, checked_user_id(user_id))]
        else:
            found = [one for one in connections.every(tx) if one.status is not ConnectionStatus.DISCONNECTED]
    rows = []
    for connection in found:
        schedule = effective(connection, _default(config))
        at, broken = next_run(connection, schedule, now(), config)
        local = _local(at, schedule.timezone) if at else broken or "paused: needs a new consent"
        rows.append((connection.user_id, schedule.cron, schedule.timezone, at, local))
    if as_json:
        keys = ("user_id", "cron", "timezone", "next_run_at", "next_run_local")
        shown = [dict(zip(keys, (*row[:3], instant(row[3]), row[4]), strict=True)) for row in rows]
        print_json({"schedules": shown})
    else:
        print_table(("user", "cron", "timezone", "next run (UTC)", "next run (local)"), rows)


def _local(at: datetime, timezone: str) -> str:
    from zoneinfo import ZoneInfo

    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M %Z")


def _default(config: Config) -> Schedule:
    from contacts_sync.model import Schedule

    return Schedule(config.schedule.cron, config.schedule.timezone)


@command.command("set")
@user_argument
@click.option("--cron", required=True, help='Standard crontab: "30 3 * * *".')
@click.option("--timezone", help="An IANA name; default: the user's present one, else the configured one.")
@json_option
@pass_frame
def set_(frame: Frame, user_id: str, cron: str, timezone: str | None, as_json: bool) -> None:
    """Give USER a schedule of its own.

    Example: contacts-sync schedule set alice --cron "30 3 * * *" --timezone Europe/Berlin
    """
    from contacts_sync.timetable import compile_schedule

    config = frame.config()
    compile_schedule(cron, timezone or config.schedule.timezone)

    def change(tx: Transaction) -> tuple[str | None, str | None]:
        return cron, timezone or linked(tx, user_id).timezone

    _change(frame, config, user_id, change, as_json=as_json)


@command.command("reset")
@user_argument
@json_option
@pass_frame
def reset(frame: Frame, user_id: str, as_json: bool) -> None:
    """Let USER follow the configured schedule again.

    Example: contacts-sync schedule reset alice
    """
    _change(frame, frame.config(), user_id, lambda _tx: (None, None), as_json=as_json)


def _change(
    frame: Frame,
    config: Config,
    user_id: str,
    change: Callable[[Transaction], tuple[str | None, str | None]],
    *,
    as_json: bool,
) -> None:
    from contacts_sync.cli.output import instant, print_json, say
    from contacts_sync.cli.status import next_run
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.store import connections
    from contacts_sync.store.engine import write

    with frame.store(config) as db, write(db, durable=True) as tx:
        linked(tx, user_id)
        cron, timezone = change(tx)
        connections.set_schedule(tx, user_id, cron, timezone, now=now())
        connection = linked(tx, user_id)
    schedule = effective(connection, _default(config))
    at, _ = next_run(connection, schedule, now(), config)
    if as_json:
        shown = {"user_id": user_id, "cron": schedule.cron, "timezone": schedule.timezone}
        print_json({"schedules": [{**shown, "next_run_at": instant(at)}]})
    else:
        say(f"{user_id}: {schedule.cron} in {schedule.timezone}, next run {instant(at) or 'paused'}")


@command.command("preview")
@click.argument("user_id", metavar="[USER]", required=False)
@click.option("--cron", help="A schedule to try, instead of a user's.")
@click.option("--timezone", help="Its time zone; default: the configured one.")
@click.option("--from", "first", required=True, metavar="DATE", help="First day, in the schedule's zone.")
@click.option("--to", "last", required=True, metavar="DATE", help="The day after the last one.")
@json_option
@pass_frame
def preview(
    frame: Frame,
    user_id: str | None,
    cron: str | None,
    timezone: str | None,
    first: str,
    last: str,
    as_json: bool,
) -> None:
    """List the slots of a span of days, for USER or for --cron and --timezone.

    Example: contacts-sync schedule preview alice --from 2026-03-28 --to 2026-04-01
    """
    from contacts_sync.cli.output import instant, print_json, print_table
    from contacts_sync.timetable import compile_schedule

    if (user_id is None) == (cron is None):
        raise InvalidUsage("give either USER or --cron", hint="contacts-sync schedule preview --help")
    config = frame.config()
    schedule = _of_user(frame, config, user_id) if user_id else _given(config, cron or "", timezone)
    timetable = compile_schedule(schedule.cron, schedule.timezone)
    start, end = (_midnight(text, schedule.timezone) for text in (first, last))
    slots = list(timetable.between(start, end))
    if as_json:
        listed = [{"slot": slot.local.isoformat(timespec="minutes"), "at": instant(slot.at)} for slot in slots]
        print_json({"slots": listed})
    else:
        print_table(
            ("slot", "runs at (UTC)", "runs at (local)"),
            [(slot.label, slot.at, _local(slot.at, schedule.timezone)) for slot in slots],
        )


def _of_user(frame: Frame, config: Config, user_id: str) -> Schedule:
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.store.engine import read

    with frame.store(config) as db, read(db) as tx:
        return effective(linked(tx, checked_user_id(user_id)), _default(config))


def _given(config: Config, cron: str, timezone: str | None) -> Schedule:
    from contacts_sync.model import Schedule

    return Schedule(cron, timezone or config.schedule.timezone)


def _midnight(text: str, timezone: str) -> datetime:
    """The instant at which a day begins in a zone."""
    from zoneinfo import ZoneInfo

    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(timezone))
    except ValueError:
        raise InvalidUsage(f"not a date: {text!r}", hint="dates look like 2026-03-28") from None
    begins = day.astimezone(UTC)
    while begins.astimezone(ZoneInfo(timezone)).date() < day.date():  # midnight lies in a gap
        begins += timedelta(minutes=15)
    return begins
