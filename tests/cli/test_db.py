"""`contacts-sync db`."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from contacts_sync.store import migrate
from tests.operating import Operator

NEWEST = {"revision": migrate.head(), "head": migrate.head()}


def stamp(operator: Operator, revision: str) -> None:
    with closing(sqlite3.connect(operator.home / "store.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_an_upgrade_makes_a_missing_store(newcomer: Operator) -> None:
    assert newcomer.json("db", "upgrade") == NEWEST
    assert newcomer.json("db", "current") == NEWEST


def test_the_revision_is_told(operator: Operator) -> None:
    assert operator.run("db", "current").stdout == f"revision {migrate.head()}, newest {migrate.head()}\n"


def test_a_store_from_a_later_program_is_refused(operator: Operator) -> None:
    stamp(operator, "9999")
    for words in (["db", "upgrade"], ["db", "current"], ["status"], ["connect", "alice", "--no-browser"]):
        assert "newer than this program" in operator.run(*words, code=78).stderr
