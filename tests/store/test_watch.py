from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import sql

from contacts_sync.errors import StoreGone, StoreUnavailable
from contacts_sync.model import Pause
from contacts_sync.store import nodes
from contacts_sync.store.engine import Database, Watch, close, open_database, write
from tests.postgres import Server
from tests.store.given import MINUTE, NOW, connected, queued

PAUSE = Pause("OperatorTrouble", "the API is disabled", "enable it", NOW, NOW + MINUTE)
LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=20)


@pytest.fixture
def watch(db: Database) -> Iterator[Watch]:
    made = Watch(db)
    yield made
    made.close()


def wait(watch: Watch, timeout: timedelta = SHORT) -> bool:
    return watch.wait(timeout, threading.Event())


def test_the_first_look_says_that_something_may_have_changed(watch: Watch) -> None:
    assert wait(watch)
    assert not wait(watch)


def test_a_change_between_two_looks_is_not_missed(db: Database, watch: Watch) -> None:
    wait(watch)
    connected(db, "alice")
    assert wait(watch)
    assert not wait(watch)


def test_another_process_is_heard_while_waiting(db: Database, watch: Watch, store_url: str) -> None:
    wait(watch)
    other = open_database(store_url)
    writer = threading.Timer(0.05, lambda: queued(other, "alice"))
    writer.start()
    assert wait(watch, LONG)
    writer.join()
    close(other)


def test_a_wish_to_probe_is_heard(db: Database, watch: Watch) -> None:
    with write(db) as tx:
        nodes.set_pause(tx, PAUSE)
    wait(watch)
    with write(db) as tx:
        nodes.probe_now(tx, NOW)
    assert wait(watch, LONG)


def test_waiting_ends_when_it_is_told_to(watch: Watch) -> None:
    stop = threading.Event()
    wait(watch)
    threading.Timer(0.05, stop.set).start()
    assert not watch.wait(LONG, stop)


def test_after_trouble_it_listens_anew(postgres: Server) -> None:
    url = postgres.new_database()
    db = open_database(url, create=True)
    watch = Watch(db)
    wait(watch)
    postgres.execute(sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
    with pytest.raises(StoreUnavailable):
        wait(watch, LONG)
    assert wait(watch)
    connected(db, "alice")
    assert wait(watch, LONG)
    watch.close()
    close(db)


def test_a_deleted_store_is_noticed(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    watch = Watch(db)
    wait(watch)
    (tmp_path / "store.db").unlink()
    with pytest.raises(StoreGone):
        wait(watch)
    watch.close()
    close(db)
