"""`contacts-sync db`."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from contacts_sync.store import migrate
from tests.cli.given import joined
from tests.operating import Operator, wait_until
from tests.postgres import Server

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


def test_a_store_is_backed_up_beside_a_daemon_and_the_copy_is_a_store(operator: Operator) -> None:
    joined(operator, "alice", people=3)
    copy = operator.home / "copy.db"
    with operator.daemon():
        wait_until(lambda: operator.runs("--status", "succeeded"))
        assert operator.json("db", "backup", str(copy))["bytes"] == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600
    operator.run("db", "backup", str(copy), code=1)
    operator.run("db", "backup", "/nowhere/copy.db", code=1)
    operator.environ["CONTACTS_SYNC_DATABASE__URL"] = f"sqlite:///{copy}"
    assert operator.user("alice")["contacts"] == 3
    operator.run("run-now", "alice")
    assert not list(operator.home.glob(".copy*"))


def test_a_server_is_backed_up_by_its_own_tools(operator: Operator, postgres: Server) -> None:
    operator.environ["CONTACTS_SYNC_DATABASE__URL"] = postgres.new_database()
    operator.run("db", "upgrade")
    assert "pg_dump" in operator.run("db", "backup", "x.db", code=78).stderr


def test_a_store_is_checked_and_what_is_wrong_has_a_cure(operator: Operator) -> None:
    joined(operator, "alice", people=2)
    operator.run("run-now", "alice")
    assert operator.json("db", "check") == {"ok": True, "breaches": []}
    with closing(sqlite3.connect(operator.home / "store.db")) as store, store:
        store.execute("DELETE FROM oauth_tokens")
    assert "contacts-sync connect USER" in operator.run("db", "check", code=1).stdout
