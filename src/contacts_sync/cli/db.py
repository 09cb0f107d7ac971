"""`contacts-sync db`: the store's schema."""

from __future__ import annotations

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame


@click.group("db")
def command() -> None:
    """Upgrade the store, or say which revision it has."""


@command.command("upgrade")
@json_option
@pass_frame
def upgrade(frame: Frame, as_json: bool) -> None:
    """Create the store if it is missing, and bring it to the newest schema.

    Example: contacts-sync db upgrade
    """
    _report(frame, as_json, create=True)


@command.command("current")
@json_option
@pass_frame
def current(frame: Frame, as_json: bool) -> None:
    """Say which revision the store has, and which this program wants.

    Example: contacts-sync db current
    """
    _report(frame, as_json, create=False)


def _report(frame: Frame, as_json: bool, *, create: bool) -> None:
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.store import migrate

    with frame.store(frame.config(), create=create, upgrade=create) as db:
        revision = migrate.current(db)
    if as_json:
        print_json({"revision": revision, "head": migrate.head()})
    else:
        say(f"revision {revision}, newest {migrate.head()}")
