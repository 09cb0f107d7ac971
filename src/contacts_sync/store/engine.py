"""Opening the store; the types that other rooms need to work with it."""

from __future__ import annotations

from pathlib import Path

from contacts_sync.errors import StoreUnusable
from contacts_sync.store import dialect, file, migrate
from contacts_sync.store.transactions import Database, Transaction, close, read, write
from contacts_sync.store.watch import Watch

__all__ = ["Database", "Transaction", "Watch", "close", "open_database", "read", "write"]


def open_database(url: str, *, create: bool = False, upgrade: bool = False) -> Database:
    """Open the store at `sqlite:////path` or `postgresql+psycopg://user@host/database`.

    `create` makes a missing one, `upgrade` migrates an older one. Raises `StoreUnusable` for a store that is
    missing, foreign, older or newer than this program, `StoreUnavailable` for one locked or unreachable.
    """
    address = dialect.parse_url(url)
    path = dialect.file_of(address)
    if path is not None:
        if create and not path.exists():
            file.create(path, _fill)
        file.refuse_foreign(path)
    db = Database(dialect.make_engine(address), path, path.stat().st_ino if path else None)
    try:
        _check(db, create=create, upgrade=upgrade)
    except BaseException:
        close(db)
        raise
    return db


def _fill(path: Path) -> None:
    draft = Database(dialect.sqlite_engine(path), path, path.stat().st_ino)
    try:
        migrate.upgrade(draft)
    finally:
        close(draft)


def _check(db: Database, *, create: bool, upgrade: bool) -> None:
    with read(db) as tx:
        migrate.refuse_foreign(tx)
        revision = migrate.revision_of(tx)
    if revision is None and not create:
        raise StoreUnusable("the database has no store yet", hint=file.CREATE)
    migrate.refuse_newer(revision)
    if revision is None or (upgrade and revision != migrate.head()):
        migrate.upgrade(db)
    else:
        migrate.refuse_older(revision)
