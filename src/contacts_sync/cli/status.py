"""`contacts-sync status`: is all well, and if not, what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import Frame, checked_user_id, json_option, now, pass_frame

if TYPE_CHECKING:
    from datetime import datetime

    from contacts_sync.config import Config
    from contacts_sync.model import Connection
    from contacts_sync.store.engine import Transaction


@click.command("status")
@click.argument("user_id", metavar="[USER]", required=False)
@json_option
@pass_frame
def command(frame: Frame, user_id: str | None, as_json: bool) -> None:
    """Show the daemon and every user: account, state, last success, next run, what is wrong.

    Example: contacts-sync status
    """
    from contacts_sync.cli.output import print_json
    from contacts_sync.errors import UnknownUser
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db, read(db) as tx:
        document = {"daemons": _daemons(tx, config), "users": _users(tx, config)}
    if user_id is not None:
        checked_user_id(user_id)
        document["users"] = [user for user in document["users"] if user["user_id"] == user_id]
        if not document["users"]:
            raise UnknownUser(user_id, why="was never connected")
    if as_json:
        print_json(document)
    else:
        _show(document)


def _daemons(tx: Transaction, config: Config) -> list[dict[str, Any]]:
    from contacts_sync.cli.shapes import node_document
    from contacts_sync.daemon.liveness import alive
    from contacts_sync.store import nodes

    return [
        node_document(node, alive=alive(node, now(), config.daemon.heartbeat))
        for node in nodes.every(tx)
        if node.role == "daemon"
    ]


def _users(tx: Transaction, config: Config) -> list[dict[str, Any]]:
    from contacts_sync.cli.notes import note_for
    from contacts_sync.cli.output import instant
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.model import Schedule
    from contacts_sync.store import connections, nodes, runs

    default, at = Schedule(config.schedule.cron, config.schedule.timezone), now()
    states, counts = connections.every_sync_state(tx), connections.contact_counts(tx)
    active, latest, pause = runs.active(tx), runs.latest_ended(tx), nodes.pause(tx)
    users = []
    for connection in connections.every(tx):
        user_id, schedule = connection.user_id, effective(connection, default)
        state = states.get(user_id)
        next_run_at, broken = next_run(connection, schedule, at, config)
        users.append(
            {
                "user_id": user_id,
                "google_account": connection.google_account,
                "status": str(connection.status),
                "cron": schedule.cron,
                "timezone": schedule.timezone,
                "connected_at": instant(connection.connected_at),
                "disconnected_at": instant(connection.disconnected_at),
                "last_success_at": instant(state.last_success_at) if state else None,
                "next_run_at": instant(next_run_at),
                "contacts": counts.get(user_id, 0),
                "consecutive_failures": state.consecutive_failures if state else 0,
                "last_error": state.last_error if state else None,
                "note": note_for(
                    connection,
                    broken=broken,
                    pause=pause,
                    active=active.get(user_id),
                    latest=latest.get(user_id),
                    now=at,
                ),
            }
        )
    return users


def next_run(connection: Connection, schedule: Any, at: datetime, config: Config) -> tuple[datetime | None, str | None]:
    """When the user's next scheduled run starts (None while paused), or what is wrong with the schedule."""
    from contacts_sync.errors import InvalidUsage
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.timetable import compile_schedule, spread_offset

    if connection.status is not ConnectionStatus.CONNECTED:
        return None, None
    try:
        timetable = compile_schedule(schedule.cron, schedule.timezone)
    except InvalidUsage as error:
        return None, error.message
    return timetable.next_after(at).at + spread_offset(connection.user_id, config.schedule.spread), None


def _show(document: dict[str, Any]) -> None:
    from contacts_sync.cli.output import print_table, say

    living = [node for node in document["daemons"] if node["alive"]]
    for node in living:
        say(f"daemon: alive, pid {node['pid']} on {node['host']}, since {node['started_at']}")
    if not living:
        say("daemon: not running; scheduled syncs wait until it is (contacts-sync daemon)")
    if not document["users"]:
        say("nobody is connected yet; next: contacts-sync connect USER")
        return
    columns = ("user", "account", "status", "last success", "next run", "contacts", "failures")
    keys = (
        "user_id",
        "google_account",
        "status",
        "last_success_at",
        "next_run_at",
        "contacts",
        "consecutive_failures",
    )
    print_table(columns, [[user[key] for key in keys] for user in document["users"]])
    for user in document["users"]:
        if user["last_error"]:
            say(f"{user['user_id']}: last error: {user['last_error']}")
        if user["note"]:
            say(f"{user['user_id']}: {user['note']}")
