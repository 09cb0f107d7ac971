"""`contacts-sync demo`: the whole job against a simulated Google, in a temporary directory. No account needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, pass_frame

if TYPE_CHECKING:
    from contacts_sync.cli.rehearsal import Rehearsal


@click.command("demo")
@click.option("--serve", is_flag=True, help="Keep the daemon and the simulated Google running until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print an error as JSON; the story is told in words.")
@pass_frame
def command(frame: Frame, serve: bool, as_json: bool) -> None:  # noqa: ARG001  (--json is for the error)
    """Run the whole job against a simulated Google: connect, sync, change, sync again.

    Needs no account and no configuration; ends by itself in a few seconds. The store it fills is left in a
    temporary directory to look at.

    Example: contacts-sync demo
    """
    from contacts_sync import logs
    from contacts_sync.cli.rehearsal import rehearsed

    logs.configure(level=frame.log_level or "critical", format=frame.log_format or "auto", stream=sys.stderr)
    with rehearsed() as rehearsal:
        _show(rehearsal)
        if serve:
            logs.set_level(frame.log_level or "info")
            rehearsal.serve()


def _show(rehearsal: Rehearsal) -> None:
    """The story, chapter by chapter."""
    rehearsal.introduce()
    rehearsal.connect_everybody()
    rehearsal.sync_everybody()
    rehearsal.change_things_at_google()
    rehearsal.sync_the_changes()
    rehearsal.lose_a_permission()
    rehearsal.say_where_to_look()
