"""`contacts-sync db`: the store's schema."""

from __future__ import annotations

from pathlib import Path

import click

from contacts_sync.cli.frame import Frame, json_option, now, pass_frame


@click.group("db")
def command() -> None:
    """Upgrade, check and back up the store, or say which revision it has."""


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


@command.command("check")
@json_option
@pass_frame
def check(frame: Frame, as_json: bool) -> int:
    """Look through the whole store for what must not be there; exit code 1 if something is.

    Example: contacts-sync db check
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.store import fsck
    from contacts_sync.store.engine import read

    with frame.store(frame.config()) as db, read(db) as tx:
        found = list(fsck.breaches(tx, now()))
    if as_json:
        listed = [{"rule": one.rule, "count": one.count, "cure": one.cure} for one in found]
        print_json({"ok": not found, "breaches": listed})
    else:
        for one in found:
            say(f"FAIL  {one.rule}: broken {one.count} times (next: {one.cure})")
        say("the store is sound" if not found else f"{len(found)} rules are broken")
    return 1 if found else 0


@command.command("backup")
@click.argument("path", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
@pass_frame
def backup(frame: Frame, path: str, force: bool, as_json: bool) -> None:
    """Copy a SQLite store to FILE (0600) while the daemon runs; complete, or not there at all.

    Example: contacts-sync db backup --force /var/backups/contacts-sync.db
    """
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.cli.targets import refuse_target
    from contacts_sync.store.backup import back_up

    target = Path(path)
    refuse_target(target, force=force)
    with frame.store(frame.config()) as db:
        size = back_up(db, target)
    if as_json:
        print_json({"backup": path, "bytes": size})
    else:
        say(f"{size / 1e6:.1f} MB written to {path}; the key file isn't in it: keep that elsewhere")


def _report(frame: Frame, as_json: bool, *, create: bool) -> None:
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.store import migrate

    with frame.store(frame.config(), create=create, upgrade=create) as db:
        revision = migrate.current(db)
    if as_json:
        print_json({"revision": revision, "head": migrate.head()})
    else:
        say(f"revision {revision}, newest {migrate.head()}")
