"""`contacts-sync export`: take a user's contacts away in a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame, user_argument
from contacts_sync.errors import ExportRefused, UnknownUser

if TYPE_CHECKING:
    from contacts_sync.store.engine import Transaction


@click.command("export")
@user_argument
@click.option(
    "--format", "form", type=click.Choice(["vcard", "csv", "jsonl"]), default="vcard", show_default=True, help="How."
)
@click.option("--output", metavar="PATH", help="A file instead of stdout; complete or not there at all.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
@pass_frame
def command(frame: Frame, user_id: str, form: str, output: str | None, force: bool, as_json: bool) -> None:
    """Write USER's contacts as vCard 3.0, Google's CSV or JSON Lines; byte-identical when nothing changed.

    Example: contacts-sync export alice --format vcard --output alice.vcf
    """
    from contacts_sync.cli.output import print_json
    from contacts_sync.store.engine import read

    target = Path(output) if output and output != "-" else None
    if target is not None and target.exists() and not force:
        raise ExportRefused(f"{target} exists already", hint="choose another --output, or add --force")
    with frame.store(frame.config()) as db, read(db) as tx:
        lines = list(_lines(tx, user_id, form))
    if target is None:
        _print(lines)
        return
    _replace(target, lines)
    if as_json:
        print_json({"user_id": user_id, "format": form, "output": str(target)})


def _lines(tx: Transaction, user_id: str, form: str) -> Iterator[str]:
    from contacts_sync.export import google_csv, json_lines, vcard
    from contacts_sync.export.entry import sort_key
    from contacts_sync.store import connections, contacts

    if connections.get(tx, user_id) is None:
        raise UnknownUser(user_id, why="was never connected")
    writers = {"vcard": vcard.lines, "csv": google_csv.lines, "jsonl": json_lines.lines}
    return writers[form](sorted(contacts.entries(tx, user_id), key=sort_key))


def _print(lines: list[str]) -> None:
    """Bytes, so that no locale and no line end of the platform changes the file."""
    sys.stdout.flush()
    sys.stdout.buffer.write("".join(lines).encode())
    sys.stdout.buffer.flush()


def _replace(target: Path, lines: list[str]) -> None:
    """A temporary file beside the target takes its place when it is complete and on disk."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # made 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write("".join(lines).encode())
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExportRefused(f"{target} can't be written: {error.strerror}", hint="choose another --output") from None
