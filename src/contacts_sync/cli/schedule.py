"""`contacts-sync schedule`: who is synced when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import (
    Frame,
    checked_user_id,
    json_option,
    linked,
    now,
    optional_user_argument,
    pass_frame,
    user_argument,
)
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import Connection, Schedule
    from contacts_sync.store.engine import Transaction
    from contacts_sync.timetable import Slot

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
FARTHEST = timedelta(days=2)  # no wall time is farther than this from the same wall time in UTC

NewSchedule = tuple[str | None, str | None]


@click.group("schedule")
def command() -> None:
    """Show and change who is synced when."""


# -- show


@command.command("show")
@optional_user_argument
@json_option
@pass_frame
def show(frame: Frame, user_id: str | None, as_json: bool) -> None:
    """Show schedules and next runs.

    Example: contacts-sync schedule show
    """
    from contacts_sync.store.engine import read

    if user_id is not None:
        checked_user_id(user_id)
    config = frame.config()
    with frame.store(config) as db, read(db) as tx:
        found = _scheduled(tx) if user_id is None else [linked(tx, user_id)]
    _tell([_row(connection, config) for connection in found], as_json=as_json)


def _scheduled(tx: Transaction) -> list[Connection]:
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.store import connections

    return [one for one in connections.every(tx) if one.status is not ConnectionStatus.DISCONNECTED]


def _row(connection: Connection, config: Config) -> dict[str, Any]:
    """A user's schedule as JSON shows it, with the next run in UTC and on the clock of the schedule's zone."""
    from contacts_sync.cli.output import instant
    from contacts_sync.cli.timing import default_schedule, in_zone, next_run
    from contacts_sync.daemon.reconcile import effective

    schedule = effective(connection, default_schedule(config))
    at, broken = next_run(connection, schedule, now(), config)
    return {
        "user_id": connection.user_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "next_run_at": instant(at),
        "next_run_local": in_zone(at, schedule.timezone) if at else None,
        "note": broken if at else broken or "paused until the user consents again",
    }


def _tell(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    from contacts_sync.cli.output import print_json, print_table

    if as_json:
        print_json({"schedules": rows})
        return
    columns = ("user", "cron", "timezone", "next run (UTC)", "next run (local)")
    cells = [(*list(row.values())[:4], row["next_run_local"] or row["note"]) for row in rows]
    print_table(columns, cells)


# -- set, reset


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
    compile_schedule(cron, config.schedule.timezone if timezone is None else timezone)

    def changed(present: Connection) -> NewSchedule:
        return cron, present.timezone if timezone is None else timezone

    _change(frame, config, user_id, changed, as_json=as_json)


@command.command("reset")
@user_argument
@json_option
@pass_frame
def reset(frame: Frame, user_id: str, as_json: bool) -> None:
    """Let USER follow the configured schedule again.

    Example: contacts-sync schedule reset alice
    """
    _change(frame, frame.config(), user_id, lambda _: (None, None), as_json=as_json)


def _change(
    frame: Frame, config: Config, user_id: str, changed: Callable[[Connection], NewSchedule], *, as_json: bool
) -> None:
    from contacts_sync.store import connections
    from contacts_sync.store.engine import write

    with frame.store(config) as db, write(db, durable=True) as tx:
        cron, timezone = changed(linked(tx, user_id))
        connections.set_schedule(tx, user_id, cron, timezone, now=now())
        connection = linked(tx, user_id)
    _tell([_row(connection, config)], as_json=as_json)


# -- preview


@command.command("preview")
@optional_user_argument
@click.option("--cron", help="A schedule to try, instead of a user's.")
@click.option("--timezone", help="Its time zone; default: the configured one.")
@click.option("--from", "first", required=True, metavar="DATE", help="The first day, in the schedule's zone.")
@click.option("--to", "end", required=True, metavar="DATE", help="The day after the last one.")
@json_option
@pass_frame
def preview(
    frame: Frame, user_id: str | None, cron: str | None, timezone: str | None, first: str, end: str, as_json: bool
) -> None:
    """List the slots of a span of days, for USER or for --cron.

    Example: contacts-sync schedule preview alice --from 2026-03-28 --to 2026-03-31
    """
    if (user_id is None) == (cron is None) or (user_id is not None and timezone is not None):
        raise InvalidUsage("give either USER, or --cron and --timezone", hint="contacts-sync schedule preview --help")
    days = _day(first), _day(end)
    if days[0] > days[1]:
        raise InvalidUsage(f"--from {first} is after --to {end}", hint="the day of --to is not included")
    config = frame.config()
    schedule = _given(config, cron, timezone) if user_id is None else _of_user(frame, config, user_id)
    _tell_slots(_slots(schedule, *days), schedule.timezone, as_json=as_json)


def _day(text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  (a calendar day of the schedule's zone)
    except ValueError:
        raise InvalidUsage(f"not a date: {text!r}", hint="dates look like 2026-03-28") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidUsage(f"{text} is too far away", hint=f"choose days from {FIRST_DAY} to {LAST_DAY}")
    return day


def _given(config: Config, cron: str | None, timezone: str | None) -> Schedule:
    from contacts_sync.model import Schedule

    return Schedule(cron or "", config.schedule.timezone if timezone is None else timezone)


def _of_user(frame: Frame, config: Config, user_id: str) -> Schedule:
    from contacts_sync.cli.timing import default_schedule
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.store.engine import read

    checked_user_id(user_id)
    with frame.store(config) as db, read(db) as tx:
        return effective(linked(tx, user_id), default_schedule(config))


def _slots(schedule: Schedule, first: date, end: date) -> list[Slot]:
    """The slots whose nominal day is one of first <= day < end, also where that day has no such hour.

    Raises `InvalidUsage` for a schedule that can't be one.
    """
    from contacts_sync.timetable import compile_schedule

    timetable = compile_schedule(schedule.cron, schedule.timezone)
    begin, stop = (datetime.combine(day, time(), UTC) for day in (first, end))
    around = timetable.between(begin - FARTHEST, stop + FARTHEST)
    return [slot for slot in around if first <= slot.local.date() < end]


def _tell_slots(slots: Sequence[Slot], timezone: str, *, as_json: bool) -> None:
    from contacts_sync.cli.output import instant, print_json, print_table
    from contacts_sync.cli.timing import in_zone

    if as_json:
        shown = [{"slot": slot.local.isoformat(timespec="minutes"), "at": instant(slot.at)} for slot in slots]
        print_json({"slots": shown})
        return
    columns = ("slot", "runs at (UTC)", "runs at (local)")
    print_table(columns, [(slot.label, slot.at, in_zone(slot.at, timezone)) for slot in slots])
