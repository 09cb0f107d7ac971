"""A SQLite store as a file: made whole or not at all, private, and told from any other file by its header."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from contacts_sync.errors import StoreUnavailable, StoreUnusable
from contacts_sync.new_file import make_directories
from contacts_sync.store import dialect

MAGIC = b"SQLite format 3\0"
APPLICATION_ID_AT = slice(68, 72)  # https://www.sqlite.org/fileformat.html
CREATE = "contacts-sync init (so do daemon, connect and db upgrade) creates a store"


def refuse_foreign(path: Path) -> None:
    """Raise `StoreUnusable` unless the file is a store of ours. Only looks at the header: changes nothing."""
    header = _header(path)
    if not header.startswith(MAGIC):
        raise StoreUnusable(f"{path} is not a database", hint="move it away, or set database.url to another file")
    if int.from_bytes(header[APPLICATION_ID_AT]) != dialect.APPLICATION_ID:
        raise StoreUnusable(
            f"{path} is another program's database", hint="set database.url to a file of contacts-sync's own"
        )


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(100)
    except FileNotFoundError:
        raise StoreUnusable(f"there is no store at {path}", hint=CREATE) from None
    except IsADirectoryError:
        raise StoreUnusable(f"{path} is a directory", hint="set database.url to a file in it") from None
    except OSError as error:
        raise _unreachable(path, error) from error


def open_to_others(path: Path) -> str:
    """The file's mode, such as `0644`, if others than its owner may read or write it; else nothing."""
    mode = path.stat().st_mode & 0o777
    return f"{mode:04o}" if mode & 0o077 else ""


def create(path: Path, fill: Callable[[Path], None]) -> None:
    """Make a store at `path`, unless something is there already.

    It is formatted and filled under another name and then linked into place: nobody ever meets a half-made
    store, nothing is overwritten, and of two who create it at once one wins. File 0600, new directories 0700.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_directories(path.parent)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            draft.chmod(0o600)
            _format(draft)
            fill(draft)
            _link(draft, path)
        finally:
            draft.unlink()
    except OSError as error:
        raise _unreachable(path, error) from error


def _format(draft: Path) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        dialect.format_sqlite(connection)


def _link(draft: Path, path: Path) -> None:
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unreachable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the store {path} can't be reached: {error.strerror}",
        hint=f"check the owner and the mode of {path.parent}",
    )
