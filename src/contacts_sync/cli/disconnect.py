"""`contacts-sync disconnect`: cut a user's link to Google."""

from __future__ import annotations

import sys

import click

from contacts_sync.cli.frame import Frame, json_option, open_desk, pass_frame, user_argument
from contacts_sync.errors import ConsentFailed


@click.command("disconnect")
@user_argument
@click.option("--keep-grant", is_flag=True, help="Don't revoke the grant at Google.")
@click.option("--purge", is_flag=True, help="Remove the user's contacts and history too.")
@click.option("--yes", is_flag=True, help="Purge without asking.")
@json_option
@pass_frame
def command(
    frame: Frame,
    user_id: str,
    keep_grant: bool,
    purge: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove USER's schedule and tokens, cancel runs, revoke the grant at Google. The contacts stay.

    Example: contacts-sync disconnect alice
    """
    from contacts_sync.cli.output import note, print_json, say
    from contacts_sync.sync.connecting import disconnect

    config = frame.config()
    with frame.store(config) as db:
        desk = open_desk(config, db)
        if purge and not yes:
            _confirm(user_id)
        done = disconnect(desk, user_id, keep_grant=keep_grant, purge=purge)
    if done.notice:
        note(f"notice: {done.notice}")
    if as_json:
        print_json({"user_id": user_id, "revoked": done.revoked, "contacts_kept": done.contacts_kept})
        return
    kept = f"{done.contacts_kept} contacts kept" if not purge else "contacts and history removed"
    say(f"{user_id} is disconnected, {kept}" + ("; grant revoked at Google" if done.revoked else ""))


def _confirm(user_id: str) -> None:
    if not sys.stdin.isatty():
        raise ConsentFailed("--purge removes contacts and asks first", hint="add --yes")
    if not click.confirm(f"Remove all contacts and the history of {user_id}?", err=True):
        raise ConsentFailed("nothing was changed", hint="answer y, or add --yes")
