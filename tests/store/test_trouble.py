from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import text

from contacts_sync.errors import ContactsSyncError, StoreUnavailable, StoreUnusable
from contacts_sync.store import dialect, fsck, tables
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.operating import wait_until
from tests.postgres import Server
from tests.store.given import person, stored


def raised(url: str, statement: str) -> ContactsSyncError:
    db = open_database(url)
    try:
        with pytest.raises((StoreUnavailable, StoreUnusable)) as trouble, write(db) as tx:
            tx.execute(text(statement))
    finally:
        close(db)
    return trouble.value


@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "55P03", "57P01", "25006"])
def test_what_a_server_gets_over_is_worth_another_try(postgres: Server, state: str) -> None:
    url = postgres.new_database()
    close(open_database(url, create=True))
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END $$"
    trouble = raised(url, statement)
    assert isinstance(trouble, StoreUnavailable)
    assert "not now" in str(trouble)


def test_a_server_that_takes_no_writes_is_worth_another_try_and_still_read(postgres: Server) -> None:
    """D21: as a standby after a failover, or while an operator has it so."""
    url = postgres.new_database()
    close(open_database(url, create=True))
    allow = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    name = sql.Identifier(url.partition("?")[0].rpartition("/")[2])
    postgres.execute(allow.format(name, sql.SQL("on")))
    trouble = raised(url, "UPDATE store SET change_version = 7")
    assert isinstance(trouble, StoreUnavailable)
    assert "read-only" in str(trouble)
    assert "primary" in trouble.hint
    postgres.execute(allow.format(name, sql.SQL("off")))
    db = open_database(url)
    with write(db) as tx:
        tx.execute(text("UPDATE store SET change_version = 7"))
    close(db)


@pytest.mark.parametrize("state", ["42501", "42P01", "22021", "23505", "54000"])
def test_what_a_server_refuses_for_good_is_not(postgres: Server, state: str) -> None:
    url = postgres.new_database()
    close(open_database(url, create=True))
    trouble = raised(url, f"DO $$ BEGIN RAISE EXCEPTION 'never' USING ERRCODE = '{state}'; END $$")
    assert isinstance(trouble, StoreUnusable)


def test_a_statement_that_takes_too_long_is_given_up(postgres: Server) -> None:
    url = postgres.new_database()
    close(open_database(url, create=True))
    db = open_database(url)
    with pytest.raises(StoreUnavailable, match="timeout"), read(db) as tx:
        tx.execute(text("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(30)"))
    close(db)


def test_a_restarted_server_is_found_again(postgres: Server) -> None:
    url = postgres.new_database()
    db = open_database(url, create=True)
    with pytest.raises(StoreUnavailable), write(db) as tx:
        tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with read(db) as tx:
        assert tx.execute(text("SELECT 1")).scalar() == 1
    close(db)


def test_a_connection_that_died_at_rest_is_not_used_again(postgres: Server) -> None:
    db = open_database(postgres.new_database(), create=True)
    own = text("SELECT pg_backend_pid()")
    with read(db) as tx:
        first = tx.execute(own).scalar_one()
    postgres.execute(sql.SQL("SELECT pg_terminate_backend({}, 10000)").format(sql.Literal(first)))
    with read(db) as tx:
        second = tx.execute(own).scalar_one()
    with read(db) as tx:
        assert tx.execute(own).scalar_one() == second != first
    close(db)


def test_a_full_disk_leaves_the_store_unharmed(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    with write(db) as tx:
        tx.exec_driver_sql("PRAGMA max_page_count = 10")  # fewer than there are: not one more
    with pytest.raises(StoreUnavailable, match="disk is full"):
        stored(db, "alice", *(person(number) for number in range(1_000)))
    with read(db) as tx:
        assert tx.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert tx.execute(text("SELECT count(*) FROM contacts")).scalar() == 0
    close(db)


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = open_database(f"sqlite:///{path}", create=True)
    stored(db, "alice", *(person(number) for number in range(300)))
    close(db)
    with path.open("r+b") as file:
        file.seek(4 * 16_384)
        file.write(b"\xff" * 40 * 16_384)
    with pytest.raises(StoreUnusable, match="damaged"):
        _read_everything(f"sqlite:///{path}")
    db = open_database(f"sqlite:///{path}")
    with pytest.raises(StoreUnusable, match="damaged") as refused, read(db) as tx:
        fsck.refuse_damaged(tx)
    assert "backup" in refused.value.hint
    close(db)


def test_a_look_for_damage_takes_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    stored(db, "alice", *(person(number) for number in range(300)))
    monkeypatch.setattr(fsck, "PATIENCE_SECONDS", -1.0)
    with read(db) as tx:
        fsck.refuse_damaged(tx)
        assert tx.execute(text("SELECT count(*) FROM contacts")).scalar() == 300
    close(db)


def _read_everything(url: str) -> None:
    db = open_database(url)
    try:
        with read(db) as tx:
            for table in tables.metadata.sorted_tables:
                tx.execute(table.select()).all()
    finally:
        close(db)


def test_no_message_carries_data(db: Database) -> None:
    stored(db, "alice", person(1, display_name="Secret Name"))
    with pytest.raises(StoreUnusable) as refused:
        stored(db, "alice", person(1, display_name="Secret Name"))
    assert "Secret" not in str(refused.value)
    assert "Secret" not in str(refused.value.__cause__)


def test_who_holds_a_lock_can_be_found(postgres: Server) -> None:
    url = postgres.new_database()
    db = open_database(url, create=True)
    with write(db) as other:
        other.execute(text("LOCK TABLE store IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable, match="lock") as refused, write(db) as tx:
            tx.execute(text("SET LOCAL lock_timeout = '10ms'; SELECT 1 FROM store"))
    assert "pg_stat_activity" in refused.value.hint
    close(db)


def test_a_role_without_rights_is_told_so(postgres: Server) -> None:
    url = postgres.new_database()
    close(open_database(url, create=True))
    _role(postgres, "stranger", "LOGIN")
    with pytest.raises(StoreUnusable, match="lacks a right"):
        open_database(url.replace("postgres@", "stranger@"))


def test_a_wrong_password_is_told_and_not_repeated(postgres: Server) -> None:
    url = postgres.new_database()
    _role(postgres, "guarded", "LOGIN PASSWORD 'right'")
    rules = postgres.folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    postgres.execute(sql.SQL("SELECT pg_reload_conf()"))
    wait_until(lambda: _refusal(url.replace("postgres@", "guarded@")))
    assert "authentication failed" in _refusal(url.replace("postgres@", "guarded:wrong-canary@"))
    assert "no password" in _refusal(url.replace("postgres@", "guarded@"))
    assert "lacks a right" in _refusal(url.replace("postgres@", "guarded:right@"))


def _refusal(url: str) -> str:
    """What is said, for good, to whom the server refuses; empty if it doesn't."""
    try:
        close(open_database(url, create=True))
    except StoreUnusable as refused:
        assert "canary" not in f"{refused} {refused.hint} {refused.__cause__!r}"
        return str(refused)
    return ""


def test_a_server_that_takes_no_more_connections_is_worth_another_try(postgres: Server) -> None:
    url = postgres.new_database()
    _role(postgres, "crowded", "LOGIN CONNECTION LIMIT 0")
    with pytest.raises(StoreUnavailable, match="too many connections"):
        open_database(url.replace("postgres@", "crowded@"))


def _role(postgres: Server, name: str, options: str) -> None:
    postgres.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), sql.SQL(options)))


def test_no_free_connection_is_worth_another_try(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    db = open_database(postgres.new_database(), create=True)
    monkeypatch.setattr(db.engine.pool, "_timeout", 0.05)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(read(db))
        with pytest.raises(StoreUnavailable, match="all connections"), read(db):
            pass
    close(db)


def test_no_wait_for_a_server_is_endless(postgres: Server) -> None:
    db = open_database(postgres.new_database(), create=True)
    with read(db) as tx:
        told = {name: tx.exec_driver_sql(f"SHOW {name}").scalar() for name in dialect.POSTGRESQL_SESSION}
        wanted = {name: str(value) for name, value in dialect.POSTGRESQL_CONNECT.items() if name != "options"}
        driver: Any = tx.connection.dbapi_connection
        assert driver.info.get_parameters().items() >= wanted.items()
    assert {"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} <= wanted.keys()
    assert told == {**dialect.POSTGRESQL_SESSION, "idle_in_transaction_session_timeout": "1min"}
    close(db)
