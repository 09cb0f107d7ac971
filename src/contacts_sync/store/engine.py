"""Opening the store; the types that other rooms need to work with it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from sqlalchemy import URL

from contacts_sync.errors import StoreUnusable
from contacts_sync.store import dialect, file, migrate, nodes, transactions
from contacts_sync.store.transactions import Database, Transaction, read, write
from contacts_sync.store.watch import Watch

__all__ = ["Database", "Transaction", "Watch", "close", "open_database", "read", "write"]

# SQLite files that this process has open, by inode. Whoever closes such a file by other means than SQLite's takes
# its locks away from the whole process (https://www.sqlite.org/howtocorrupt.html, 2.2): then another process that
# ends believes to be alone and deletes the write-ahead log, and this one goes on in a ghost of it.
_open_here: Counter[int] = Counter()
_opening = threading.Lock()


def open_database(url: str, *, create: bool = False, upgrade: bool = False) -> Database:
    """Open the store at `sqlite:////path` or `postgresql+psycopg://user@host/database`.

    `create` makes a missing one, `upgrade` migrates an older one. Raises `StoreUnusable` for a store that is
    missing, foreign, older or newer than this program, `StoreUnavailable` for one locked or unreachable,
    `DaemonRunning` for an older one that a daemon works on.
    """
    address = dialect.parse_url(url)
    path = dialect.file_of(address)
    if path is not None and create and not path.exists():
        file.create(path, _fill)
    with _opening:
        db = _opened(address, path)
    try:
        _check(db, create=create, upgrade=upgrade)
    except BaseException:
        close(db)
        raise
    return db


def close(db: Database) -> None:
    """Close all connections."""
    transactions.close(db)
    with _opening:
        if db.inode is not None:
            _open_here[db.inode] -= 1


def _opened(address: URL, path: Path | None) -> Database:
    if path is None:
        return Database(dialect.make_engine(address), None, None)
    if not path.exists() or _open_here[path.stat().st_ino] <= 0:
        file.refuse_foreign(path)
    inode = path.stat().st_ino
    _open_here[inode] += 1
    return Database(dialect.make_engine(address), path, inode)


def _fill(path: Path) -> None:
    draft = Database(dialect.sqlite_engine(path), path, path.stat().st_ino)
    try:
        migrate.upgrade(draft)
    finally:
        transactions.close(draft)


def _check(db: Database, *, create: bool, upgrade: bool) -> None:
    with read(db) as tx:
        migrate.refuse_foreign(tx)
        revision = migrate.revision_of(tx)
    if revision is None and not create:
        raise StoreUnusable("the database has no store yet", hint=file.CREATE)
    migrate.refuse_newer(revision)
    if revision is None:
        migrate.upgrade(db)
    elif upgrade and revision != migrate.head():
        with nodes.without_daemons(db):
            migrate.upgrade(db)
    else:
        migrate.refuse_older(revision)
