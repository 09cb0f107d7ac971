"""`contacts-sync schedule`: who is synced when."""

from __future__ import annotations

from collections.abc import Sequence
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
    users_argument,
)
from contacts_sync.cli.schedule_explain import command as explain
from contacts_sync.cli.schedule_plan import command as plan
from contacts_sync.cli.schedule_preview import command as preview
from contacts_sync.cli.schedule_words import HINT, WAYS, ScheduleWords, schedule_options
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import Connection, IntervalSchedule
    from contacts_sync.store.engine import Database, Transaction


@click.group("schedule")
def command() -> None:
    """Show and change who is synced when."""


command.add_command(explain)
command.add_command(plan)
command.add_command(preview)


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
        rows = _rows(tx, found, config)
    _tell(rows, as_json=as_json)


def _scheduled(tx: Transaction) -> list[Connection]:
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.store import connections

    return [one for one in connections.every(tx) if one.status is not ConnectionStatus.DISCONNECTED]


def _rows(tx: Transaction, found: Sequence[Connection], config: Config) -> list[dict[str, Any]]:
    from contacts_sync.store import interval_schedules

    if len(found) == 1:
        user = found[0].user_id
        return [_row(found[0], interval_schedules.get(tx, user), config)]
    at_intervals = interval_schedules.every(tx)
    return [_row(connection, at_intervals.get(connection.user_id), config) for connection in found]


def _row(connection: Connection, at_intervals: IntervalSchedule | None, config: Config) -> dict[str, Any]:
    """A user's schedule as JSON shows it, with the next run in UTC and on the clock of the schedule's zone."""
    from contacts_sync.cli.output import instant
    from contacts_sync.cli.timing import default_schedule, in_zone, schedule_document
    from contacts_sync.daemon.agenda import next_run
    from contacts_sync.daemon.reconcile import effective

    schedule = effective(connection, default_schedule(config))
    at, broken = next_run(connection, schedule, at_intervals, now(), config.schedule.spread)
    return {
        **schedule_document(connection, schedule, at_intervals),
        "next_run_at": instant(at),
        "next_run_local": in_zone(at, schedule.timezone) if at else None,
        "note": broken if at else broken or "paused until the user consents again",
    }


def _tell(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    from contacts_sync.cli.output import print_json, print_table

    if as_json:
        print_json({"schedules": rows})
        return
    columns = ("user", "schedule", "timezone", "next run (UTC)", "next run (local)")
    cells = [
        (row["user_id"], _in_short(row), row["timezone"], row["next_run_at"], row["next_run_local"] or row["note"])
        for row in rows
    ]
    print_table(columns, cells)


def _in_short(row: dict[str, Any]) -> str:
    """`30 3 * * *`, `every 36h`, `adaptive, now 12h`."""
    if row["interval"] is None:
        return str(row["cron"])
    return f"every {row['interval']}" if row["kind"] == "every" else f"adaptive, now {row['interval']}"


# -- set, reset


@command.command("set")
@users_argument
@click.option("--all", "everybody", is_flag=True, help="Everybody who isn't disconnected.")
@schedule_options
@json_option
@pass_frame
def set_(frame: Frame, user_ids: tuple[str, ...], everybody: bool, words: ScheduleWords, as_json: bool) -> None:
    """Give each USER a schedule of its own.

    \b
    Examples: contacts-sync schedule set alice --cron "30 3 * * *" --timezone Europe/Berlin
              contacts-sync schedule set --all --off-hours
              contacts-sync schedule set alice bob --every 6h
    """
    if bool(user_ids) == everybody:
        raise InvalidUsage("whose schedule? give USERs, or --all", hint=HINT)
    if not words.names_way:
        raise InvalidUsage(f"which schedule? give one of {', '.join(WAYS)}", hint=HINT)
    from contacts_sync.store.chunks import chunks

    config = frame.config()
    words.check(config)
    with frame.store(config) as db:
        rows = [row for users in chunks(_chosen(db, user_ids)) for row in _give(db, users, words, config)]
    _tell(rows, as_json=as_json)


def _chosen(db: Database, user_ids: Sequence[str]) -> list[str]:
    """The users as named, or everybody. Raises `UnknownUser` before anybody's schedule is changed."""
    from contacts_sync.store.engine import read

    with read(db) as tx:
        if not user_ids:
            return [one.user_id for one in _scheduled(tx)]
        return [linked(tx, user).user_id for user in dict.fromkeys(user_ids)]


def _give(db: Database, users: Sequence[str], words: ScheduleWords, config: Config) -> list[dict[str, Any]]:
    from contacts_sync.model import OwnSchedule
    from contacts_sync.store import connections
    from contacts_sync.store.engine import write

    with write(db, durable=True) as tx:
        for user in users:
            own = words.schedule_of(user, connections.own_schedule(tx, user), config) or OwnSchedule()
            connections.set_schedule(tx, user, own, now=now())
        return [row for user in users for row in _rows(tx, [linked(tx, user)], config)]


@command.command("reset")
@user_argument
@json_option
@pass_frame
def reset(frame: Frame, user_id: str, as_json: bool) -> None:
    """Let USER follow the configured schedule again.

    Example: contacts-sync schedule reset alice
    """
    from contacts_sync.model import OwnSchedule
    from contacts_sync.store import connections
    from contacts_sync.store.engine import write

    config = frame.config()
    with frame.store(config) as db, write(db, durable=True) as tx:
        linked(tx, user_id)
        connections.set_schedule(tx, user_id, OwnSchedule(), now=now())
        rows = _rows(tx, [linked(tx, user_id)], config)
    _tell(rows, as_json=as_json)
