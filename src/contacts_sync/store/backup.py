"""A copy of a SQLite store while others go on writing: SQLite's online backup, complete or not there at all."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from contacts_sync.errors import ExportRefused, StoreUnusable
from contacts_sync.store import trouble
from contacts_sync.store.transactions import Database

PAGES_AT_ONCE = 1000  # between two pieces writers get their turn


def back_up(db: Database, target: Path) -> int:
    """Write a copy of the store as it is at one instant to `target` (0600); the answer is its size in bytes.

    Raises `StoreUnusable` for a server, which has better tools, `ExportRefused` for a target that can't be written,
    `StoreUnavailable` if reading the store fails.
    """
    if db.path is None:
        raise StoreUnusable("the store is on a PostgreSQL server", hint="pg_dump --format=custom, as for any database")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            _copy(db.path, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target.stat().st_size
    except OSError as error:
        raise ExportRefused(f"{target} can't be written: {error.strerror}", hint="choose another file") from None


def _copy(path: Path, draft: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(draft)) as copy,
        ):
            source.backup(copy, pages=PAGES_AT_ONCE)
    except sqlite3.Error as error:
        raise trouble.judge_driver(error) from error
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
