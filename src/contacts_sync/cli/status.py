"""`contacts-sync status`: is all well, and if not, what to type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import Frame, checked_user_id, json_option, now, optional_user_argument, pass_frame

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import IntervalSchedule, Schedule
    from contacts_sync.store.engine import Database, Transaction
    from contacts_sync.store.standings import Standing

COLUMNS = ("user", "account", "status", "last success", "next run", "contacts", "failures")


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell of a user. `note` says why nothing happens, and what to do."""

    standing: Standing
    schedule: Schedule
    at_intervals: IntervalSchedule | None
    next_run_at: datetime | None
    note: str | None


@click.command("status")
@optional_user_argument
@json_option
@pass_frame
def command(frame: Frame, user_id: str | None, as_json: bool) -> None:
    """Show the daemon and every user: account, state, last success, next run, what is wrong.

    Example: contacts-sync status
    """
    from contacts_sync.cli.output import print_json
    from contacts_sync.store.engine import read

    if user_id is not None:
        checked_user_id(user_id)
    config = frame.config()
    with frame.store(config) as db:
        closed = _wrong_key(config, db)
        with read(db) as tx:
            daemons = _daemons(tx, config)
            alerts = _alerts(tx)
            users = _users(tx, config, user_id, daemon=any(daemon["alive"] for daemon in daemons), closed=closed)
    if as_json:
        print_json({"daemons": daemons, "users": [_document(user) for user in users], "alerts": alerts})
    else:
        _show(daemons, users, alerts)


def _wrong_key(config: Config, db: Database) -> str | None:
    """What is wrong with a key file that opens nobody's tokens. One that can't be read from here proves nothing."""
    from contacts_sync import vault
    from contacts_sync.errors import KeyProblem
    from contacts_sync.sync.keycheck import refuse_wrong_key

    try:
        vault.current_keys(config.secrets.key_file)
    except KeyProblem:
        return None
    try:
        refuse_wrong_key(db, config.secrets.key_file)
    except KeyProblem as problem:
        return problem.message
    return None


def _daemons(tx: Transaction, config: Config) -> list[dict[str, Any]]:
    from contacts_sync.cli.shapes import node_document
    from contacts_sync.daemon.liveness import alive
    from contacts_sync.store import nodes, shared_clock

    at = shared_clock.asked(tx, now())
    return [
        node_document(node, alive=alive(node, at, config.daemon.heartbeat))
        for node in nodes.every(tx)
        if node.role == "daemon"
    ]


def _alerts(tx: Transaction) -> dict[str, Any]:
    """Causes that were told, and messages that weren't delivered."""
    from contacts_sync.cli.output import instant
    from contacts_sync.store import deliveries

    found = deliveries.backlog(tx)
    return {
        "open": found.opened,
        "pending": found.pending,
        "failing": found.failing,
        "failing_since": instant(found.since),
        "last_error": found.error,
    }


def _users(tx: Transaction, config: Config, user_id: str | None, *, daemon: bool, closed: str | None) -> list[Told]:
    """Everybody, or the one user. Raises `UnknownUser` for a user that was never connected."""
    from contacts_sync.cli.notes import note_for, unreadable_note
    from contacts_sync.cli.timing import default_schedule
    from contacts_sync.daemon.agenda import next_run
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.errors import UnknownUser
    from contacts_sync.store import interval_schedules, nodes
    from contacts_sync.store.standings import standings

    at, default, pause = now(), default_schedule(config), nodes.pause(tx)
    at_intervals = interval_schedules.every(tx, user_id)

    def told(one: Standing) -> Told:
        link, schedule = one.connection, effective(one.connection, default)
        interval = at_intervals.get(link.user_id)
        due, broken = next_run(link, schedule, interval, at, config.schedule.spread)
        note = note_for(
            link,
            closed=closed,
            broken=broken,
            pause=pause,
            active=one.active,
            latest=one.failed,
            daemon=daemon,
            now=at,
        )
        return Told(one, schedule, interval, due, note or unreadable_note(one.unreadable))

    found = standings(tx, user_id)
    if user_id is not None and not found:
        raise UnknownUser(user_id, why="was never connected")
    return [told(one) for one in found]


def _document(user: Told) -> dict[str, Any]:
    from contacts_sync.cli.output import instant
    from contacts_sync.cli.shapes import user_document

    one = user.standing
    return {
        **user_document(one.connection, user.schedule, user.at_intervals, one.state),
        "next_run_at": instant(user.next_run_at),
        "contacts": one.contacts,
        "unreadable_contacts": one.unreadable,
        "note": user.note,
    }


def _show(daemons: list[dict[str, Any]], users: list[Told], alerts: dict[str, Any]) -> None:
    from contacts_sync.cli.output import print_table, say

    living = [daemon for daemon in daemons if daemon["alive"]]
    for daemon in living:
        say(f"daemon: alive, pid {daemon['pid']} on {daemon['host']}, since {daemon['started_at']}")
    if not living:
        say("daemon: not running; scheduled syncs wait until it is (contacts-sync daemon)")
    if alerts["failing"]:
        since = f"since {alerts['failing_since']}: {alerts['last_error']}"
        say(f"alerts: {alerts['failing']} undelivered {since}; next: contacts-sync alerts test")
    if not users:
        say("nobody is connected yet; next: contacts-sync connect USER")
        return
    print_table(COLUMNS, [_row(user) for user in users])
    for user in users:
        link, state = user.standing.connection, user.standing.state
        if state.last_error:
            say(f"{link.user_id}: last error: {state.last_error}")
        if user.note:
            say(f"{link.user_id}: {user.note}")


def _row(user: Told) -> tuple[object, ...]:
    link, state = user.standing.connection, user.standing.state
    return (
        link.user_id,
        link.google_account,
        link.status,
        state.last_success_at,
        user.next_run_at,
        user.standing.contacts,
        state.consecutive_failures,
    )
