"""`contacts-sync export`: take a user's contacts away in a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, optional_user_argument, pass_frame, refuse_stranger
from contacts_sync.cli.targets import refuse_target
from contacts_sync.errors import ExportRefused, InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.store.engine import Database, Transaction


SUFFIXES = {"vcard": "vcf", "csv": "csv", "jsonl": "jsonl"}
LONGEST_NAME = 200  # bytes of a file's name, of the 255 that file systems allow


@click.command("export")
@optional_user_argument
@click.option("--all", "everybody", is_flag=True, help="Every user with contacts, a file each, into --output.")
@click.option(
    "--format", "form", type=click.Choice(["vcard", "csv", "jsonl"]), default="vcard", show_default=True, help="How."
)
@click.option("--output", metavar="PATH", help="A file instead of stdout, or the directory for --all; complete or not.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@json_option
@pass_frame
def command(
    frame: Frame, user_id: str | None, everybody: bool, form: str, output: str | None, force: bool, as_json: bool
) -> None:
    """Write USER's contacts as vCard 3.0, Google's CSV or JSON Lines; byte-identical when nothing changed.

    \b
    Examples: contacts-sync export alice --format vcard --output alice.vcf
              contacts-sync export --all --force --output /var/backups/contacts
    """
    from contacts_sync.cli.output import print_json

    if everybody == (user_id is not None) or (everybody and not output):
        raise InvalidUsage("whose? give a USER, or --all with --output DIRECTORY", hint="contacts-sync export --help")
    with frame.store(frame.config()) as db:
        if everybody:
            _export_all(db, form, Path(output or ""), force=force, as_json=as_json)
            return
        target = Path(output) if output and output != "-" else None
        if target is not None:
            refuse_target(target, force=force)
        content = _content(db, user_id or "", form)
    if target is None:
        _print(content)
        return
    _replace(target, content)
    if as_json:
        print_json({"user_id": user_id, "format": form, "output": str(target)})


def _export_all(db: Database, form: str, directory: Path, *, force: bool, as_json: bool) -> None:
    """A file a user; one that would be the same is left as it is."""
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.cli.progress import advancing
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    with read(db) as tx:
        users = sorted(user for user, contacts in connections.contact_counts(tx).items() if contacts)
    targets = {user: directory / f"{file_stem(user)}.{SUFFIXES[form]}" for user in users}
    for target in targets.values():
        refuse_target(target, force=force)
    _make(directory)
    with advancing("exporting") as show:
        for number, (user, target) in enumerate(targets.items(), 1):
            content = _content(db, user, form)
            if not target.is_file() or target.read_bytes() != content:
                _replace(target, content)
            show(number, len(targets))
    if as_json:
        print_json({"format": form, "exports": [{"user_id": user, "output": str(to)} for user, to in targets.items()]})
    else:
        say(f"{len(targets)} users exported to {directory}")


def file_stem(user_id: str) -> str:
    """The user id as the name of a file: one name a user, none outside of the directory, none hidden."""
    from hashlib import sha256
    from urllib.parse import quote

    name = quote(user_id, safe=" @+,=").replace("~", "%7E")
    name = name.replace(".", "%2E", 1) if name.startswith(".") else name
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}~{sha256(user_id.encode()).hexdigest()[:16]}"


def _make(directory: Path) -> None:
    from contacts_sync.new_file import make_directories

    try:
        make_directories(directory)
    except OSError as error:
        raise ExportRefused(f"{directory} can't be made: {error.strerror}", hint="choose another --output") from None


def _content(db: Database, user_id: str, form: str) -> bytes:
    from contacts_sync.store.engine import read

    with read(db) as tx:
        return "".join(_lines(tx, user_id, form)).encode()


def _lines(tx: Transaction, user_id: str, form: str) -> Iterator[str]:
    from contacts_sync.export import google_csv, json_lines, vcard
    from contacts_sync.export.entry import sort_key
    from contacts_sync.store import contacts

    refuse_stranger(tx, user_id)
    writers = {"vcard": vcard.lines, "csv": google_csv.lines, "jsonl": json_lines.lines}
    return writers[form](sorted(contacts.entries(tx, user_id), key=sort_key))


def _print(content: bytes) -> None:
    """Bytes, so that no locale and no line end of the platform changes the file."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _replace(target: Path, content: bytes) -> None:
    """A temporary file beside the target takes its place when it is complete and on disk."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # made 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportRefused(f"{target} can't be written: {error.strerror}", hint="choose another --output") from None
