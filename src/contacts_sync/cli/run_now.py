"""`contacts-sync run-now`: sync users now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame, users_argument
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.model import Connection
    from contacts_sync.store.engine import Transaction


@click.command("run-now")
@users_argument
@click.option("--all", "everybody", is_flag=True, help="Every connected user.")
@click.option("--failed", is_flag=True, help="Every connected user whose latest run failed.")
@click.option("--full", is_flag=True, help="Read everything again.")
@click.option("--wait/--no-wait", "wait", default=None, help="Wait for the end, also of a deferred run; or don't wait.")
@json_option
@pass_frame
def command(
    frame: Frame,
    user_ids: tuple[str, ...],
    everybody: bool,
    failed: bool,
    full: bool,
    wait: bool | None,
    as_json: bool,
) -> int:
    """Queue a sync of users now and wait for it. A user's queued or running sync is joined.

    Without a live daemon the runs are carried out by this process.

    Example: contacts-sync run-now alice
    """
    from contacts_sync.cli.queueing import Order, carry_out
    from contacts_sync.model import RunKind, Trigger
    from contacts_sync.store.engine import read

    if sum((bool(user_ids), everybody, failed)) != 1:
        raise InvalidUsage("say whom to sync: USER..., --all or --failed", hint="contacts-sync run-now --help")
    config = frame.config()
    with frame.store(config) as db:
        with read(db) as tx:
            users = list(user_ids) or _chosen(tx, failed=failed)
        kind = RunKind.FULL if full else RunKind.INCREMENTAL
        return carry_out(config, db, Order(dict.fromkeys(users, kind), Trigger.MANUAL, wait=wait, as_json=as_json))


def _chosen(tx: Transaction, *, failed: bool) -> list[str]:
    """All connected users, or those whose latest run failed; says who is left out, and if nobody is left."""
    from contacts_sync.cli.output import note, warn
    from contacts_sync.errors import typed
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.store import connections, runs

    known = connections.every(tx)
    for user in _with(known, ConnectionStatus.NEEDS_REAUTH):
        warn(f"{user} is left out and must consent again; next: contacts-sync connect {typed(user)}")
    users = _with(known, ConnectionStatus.CONNECTED)
    if failed:
        having_failed = runs.latest_failed(tx)
        users = [user for user in users if user in having_failed]
    if not users:
        note("no user's latest run has failed" if failed else "nobody is connected; next: contacts-sync connect USER")
    return users


def _with(known: list[Connection], status: str) -> list[str]:
    return [one.user_id for one in known if one.status == status]
