"""`contacts-sync demo`: the whole job against a simulated Google, in a temporary directory. No account needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contacts_sync.cli.rehearsal import Rehearsal


@click.command("demo")
@click.option("--serve", is_flag=True, help="Keep the daemon and the simulated Google running until Ctrl-C.")
def command(serve: bool) -> None:  # noqa: FBT001  (click passes options by name)
    """Run the whole job against a simulated Google: connect, sync, change, sync again.

    Needs no account and no configuration; ends by itself in a few seconds. The store it fills is left in a
    temporary directory to look at.

    Example: contacts-sync demo
    """
    from contacts_sync.cli.rehearsal import rehearsed

    with rehearsed() as rehearsal:
        _show(rehearsal)
        if serve:
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
