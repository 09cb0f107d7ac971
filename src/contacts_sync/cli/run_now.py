"""`contacts-sync run-now`: sync users now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, checked_user_id, json_option, pass_frame
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.store.engine import Transaction


@click.command("run-now")
@click.argument("user_ids", metavar="USER...", nargs=-1)
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
    from contacts_sync.model import Trigger
    from contacts_sync.store.engine import read

    if sum((bool(user_ids), everybody, failed)) != 1:
        raise InvalidUsage("say whom to sync: USER..., --all or --failed", hint="contacts-sync run-now --help")
    config = frame.config()
    with frame.store(config) as db:
        with read(db) as tx:
            users = _chosen(tx, user_ids, failed=failed)
        return carry_out(config, db, Order(users, Trigger.MANUAL, full=full, wait=wait, as_json=as_json))


def _chosen(tx: Transaction, user_ids: tuple[str, ...], *, failed: bool) -> list[str]:
    from contacts_sync.model import ConnectionStatus, RunStatus
    from contacts_sync.store import connections, runs

    if user_ids:
        return list(dict.fromkeys(checked_user_id(user_id) for user_id in user_ids))
    connected = [one.user_id for one in connections.every(tx) if one.status is ConnectionStatus.CONNECTED]
    if not failed:
        return connected
    latest = runs.latest_ended(tx)
    return [user for user in connected if user in latest and latest[user].status is RunStatus.FAILED]
