"""Transactions on an open store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from contacts_sync.errors import StoreGone, StoreUnavailable
from contacts_sync.store import dialect, trouble

Transaction: TypeAlias = Connection


@dataclass(slots=True)
class Skew:
    """How far the database server's clock was ahead of ours when we last looked; nothing without a server.

    `shared`: what the clock that leases go by (the server's, else ours) was ahead of monotonic time then, and
    `stepped_at` when in monotonic seconds it was last seen to have been set.
    """

    ahead: timedelta = timedelta(0)
    shared: float | None = None
    stepped_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Database:
    """An open store. `path` is the file of a SQLite store, None for a server; `inode` identifies it."""

    engine: Engine = field(repr=False)
    path: Path | None
    inode: int | None
    skew: Skew = field(default_factory=Skew, repr=False)
    writer: threading.Lock = field(default_factory=threading.Lock, repr=False)
    reader: Engine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """What holds for every transaction is said once: to say it to each costs as much as a small statement."""
        object.__setattr__(self, "reader", dialect.reading(self.engine, self.path))
        for engine in (self.engine, self.reader):
            engine.update_execution_options(skew=self.skew)


@contextmanager
def read(db: Database, *, autocommit: bool = False) -> Iterator[Transaction]:
    """A transaction that sees one instant of the store and can't change it. Raises `StoreUnavailable`.

    `autocommit`: on a server each statement sees an instant of its own, which saves two round trips.
    """
    engine = db.engine if autocommit and db.path is None else db.reader
    with translated(db), _begun(db, engine, "read", autocommit=autocommit) as tx:
        yield tx
        dialect.driver(tx).commit()


@contextmanager
def write(db: Database, *, durable: bool = False, autocommit: bool = False) -> Iterator[Transaction]:
    """A transaction that commits at the end of the block and is rolled back by any exception.

    `autocommit`: on a server each statement is a transaction by itself, which saves two round trips.
    `durable`: what it commits survives a power cut (PostgreSQL always does so; SQLite's file costs an fsync).
    Raises `StoreUnavailable` if others hold the store for longer than ten seconds, `StoreGone` if it isn't there.
    """
    mode = "durable" if durable else "write"
    with translated(db), _turn(db), _begun(db, db.engine, mode, autocommit=autocommit) as tx:
        yield tx
        dialect.driver(tx).commit()


def close(db: Database) -> None:
    """Close all connections."""
    db.reader.dispose()
    db.engine.dispose()


@contextmanager
def translated(db: Database) -> Iterator[None]:
    """Let no error of the database library out of this room."""
    try:
        yield
    except SQLAlchemyError as error:
        raise trouble.judge(error) from error
    except db.engine.dialect.loaded_dbapi.Error as error:  # of a statement that went past SQLAlchemy
        raise trouble.judge_driver(error) from error


@contextmanager
def _begun(db: Database, engine: Engine, mode: str, *, autocommit: bool) -> Iterator[Transaction]:
    """A transaction that is rolled back at the end, as far as it isn't committed."""
    check_file(db)
    with engine.connect() as tx:
        try:
            dialect.begin(tx, mode, autocommit=autocommit)
            yield tx
        except db.engine.dialect.loaded_dbapi.Error as error:
            _forget_if_lost(tx, error)
            raise


def _forget_if_lost(tx: Transaction, error: Any) -> None:
    """SQLAlchemy hasn't seen an error of the driver's: it would roll back what is no longer there, and log why not."""
    if not tx.invalidated and tx.dialect.is_disconnect(error, dialect.driver(tx), None):
        tx.invalidate(error)


@contextmanager
def _turn(db: Database) -> Iterator[None]:
    """Threads of one process queue here for SQLite's single writer: fairer and faster than its polling."""
    if db.path is None:
        yield
    elif db.writer.acquire(timeout=dialect.BUSY_TIMEOUT_SECONDS):
        try:
            yield
        finally:
            db.writer.release()
    else:
        raise StoreUnavailable("the store is busy in this process", hint="try again")


def check_file(db: Database) -> None:
    """Don't go on in the ghost of a file that somebody has deleted or replaced."""
    if db.path is None:
        return
    try:
        same = db.path.stat().st_ino == db.inode
    except OSError:
        same = False
    if not same:
        raise StoreGone(
            f"the store {db.path} was moved, deleted or replaced while it was open",
            hint="put it back, or restore a backup; then start contacts-sync again",
        )
