"""`contacts-sync disconnect`: cut a user's link to Google."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import (
    Frame,
    json_option,
    linked,
    open_desk,
    pass_frame,
    refuse_stranger,
    user_argument,
)
from contacts_sync.errors import NotConfirmed

if TYPE_CHECKING:
    from contacts_sync.store.engine import Database


@click.command("disconnect")
@user_argument
@click.option("--keep-grant", is_flag=True, help="Don't revoke the grant at Google.")
@click.option("--purge", is_flag=True, help="Remove the user's contacts and history too.")
@click.option("--yes", is_flag=True, help="Purge without asking.")
@json_option
@pass_frame
def command(frame: Frame, user_id: str, keep_grant: bool, purge: bool, yes: bool, as_json: bool) -> None:
    """Remove USER's schedule and tokens, cancel runs, revoke the grant at Google. The contacts stay.

    Example: contacts-sync disconnect alice
    """
    from contacts_sync.cli.output import print_json, say, warn
    from contacts_sync.sync.connecting import disconnect

    config = frame.config()
    with frame.store(config) as db:
        _require(db, user_id, purge=purge)
        desk = open_desk(config, db)
        if purge and not yes:
            _confirm(user_id)
        done = disconnect(desk, user_id, keep_grant=keep_grant, purge=purge)
    if done.notice:
        warn(f"notice: {done.notice}")
    if as_json:
        print_json({"user_id": user_id, "revoked": done.revoked, "contacts_kept": done.contacts_kept})
        return
    kept = "contacts and history removed" if purge else f"{done.contacts_kept} contacts kept"
    say(f"{user_id} is disconnected, {kept}" + ("; grant revoked at Google" if done.revoked else ""))


def _require(db: Database, user_id: str, *, purge: bool) -> None:
    """Raise `UnknownUser` for nobody; a user who was disconnected can still be purged."""
    from contacts_sync.store.engine import read

    with read(db) as tx:
        if not purge:
            linked(tx, user_id)
        else:
            refuse_stranger(tx, user_id)


def _confirm(user_id: str) -> None:
    """Ask on the terminal. Raises `NotConfirmed` for anything but a yes."""
    from contacts_sync.cli.output import warn

    if not sys.stdin.isatty():
        raise NotConfirmed("--purge removes contacts and asks first", hint="add --yes")
    warn(f"Remove all contacts and the history of {user_id}? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmed("nothing was changed", hint="answer y, or add --yes")
