from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import select, text

from contacts_sync.errors import LeaseLost, StoreGone, StoreUnavailable, StoreUnusable
from contacts_sync.store import dialect
from contacts_sync.store.engine import Database, close, open_database, read, write
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.tables import store

BUMP = text("UPDATE store SET change_version = change_version + 1")
VERSION = select(store.c.change_version)
LOOK = text("SELECT change_version FROM store")


def test_a_block_that_ends_well_is_committed_and_one_that_raises_is_not(db: Database) -> None:
    with write(db) as tx:
        tx.execute(BUMP)
    with suppress(LeaseLost), write(db) as tx:
        tx.execute(BUMP)
        raise LeaseLost("taken back")
    with read(db) as tx:
        assert tx.execute(LOOK).scalar() == 1


def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises((StoreUnavailable, StoreUnusable)), read(db) as tx:
        tx.execute(BUMP)
    with write(db) as tx:
        tx.execute(BUMP)


def test_a_reader_sees_one_instant(db: Database) -> None:
    with read(db) as reader:
        before = reader.execute(LOOK).scalar()
        with write(db) as tx:
            tx.execute(BUMP)
        assert reader.execute(LOOK).scalar() == before


def test_with_autocommit_each_statement_is_a_transaction_by_itself_on_a_server(db: Database) -> None:
    is_server = db.path is None
    with suppress(LeaseLost), write(db, autocommit=True) as tx:
        tx.execute(BUMP)
        raise LeaseLost("taken back")
    with suppress(LeaseLost), write(db) as tx:  # on a connection that was used so before
        tx.execute(BUMP)
        raise LeaseLost("taken back")
    with read(db, autocommit=True) as reader:
        assert Prepared(VERSION).row(reader) == (is_server,)
        with write(db, autocommit=True) as tx:
            tx.execute(BUMP)
        assert Prepared(VERSION).row(reader) == (2 if is_server else 0,)


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)], ids=["normal", "full"])
def test_a_durable_transaction_is_synced_to_the_disk(tmp_path: Path, durable: bool, level: int) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    with write(db, durable=durable) as tx:
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == level
    close(db)


def test_many_threads_write_without_losing_anything(db: Database) -> None:
    def bump() -> None:
        for _ in range(20):
            with write(db) as tx:
                tx.execute(BUMP)

    threads = [threading.Thread(target=bump) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(db) as tx:
        assert tx.execute(LOOK).scalar() == 160


def test_a_store_locked_by_somebody_else_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT_SECONDS", 0.05)
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"), write(db) as tx:
            tx.execute(BUMP)
        with read(db) as tx:
            assert tx.execute(LOOK).scalar() == 0
    close(db)


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_to_the_ghost_of_a_deleted_store(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "store.db"
    db = open_database(f"sqlite:///{path}", create=True)
    path.rename(tmp_path / "backup.db")
    if replaced:
        shutil.copy(tmp_path / "backup.db", path)
    with pytest.raises(StoreGone, match="moved, deleted or replaced"), write(db) as tx:
        tx.execute(BUMP)
    assert path.exists() == replaced
    close(db)


def test_a_bug_in_a_statement_leaves_the_room_as_ours(db: Database) -> None:
    with pytest.raises(StoreUnusable, match="nowhere"), read(db) as tx:
        tx.execute(text("SELECT * FROM nowhere"))
