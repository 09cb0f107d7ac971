from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import text

from contacts_sync.errors import StoreUnavailable, StoreUnusable
from contacts_sync.store import connections, dialect, fsck, migrate
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.postgres import Server


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def opened(url: str, **how: bool) -> None:
    close(open_database(url, **how))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_store_is_at_the_newest_revision(db: Database) -> None:
    assert migrate.current(db) == migrate.head()


def test_a_missing_store_is_not_made_unless_asked(store_url: str) -> None:
    with pytest.raises(StoreUnusable) as refused:
        open_database(store_url)
    assert "contacts-sync init" in refused.value.hint


def test_an_existing_store_is_opened_and_kept(store_url: str) -> None:
    db = open_database(store_url, create=True)
    with write(db) as tx:
        tx.execute(text("UPDATE store SET change_version = 7"))
    close(db)
    db = open_database(store_url, create=True, upgrade=True)
    with read(db) as tx:
        assert tx.execute(text("SELECT change_version FROM store")).scalar() == 7
    close(db)


@pytest.mark.usefixtures("no_umask")
def test_a_sqlite_store_is_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "state" / "contacts-sync" / "store.db"
    db = open_database(f"sqlite:///{path}", create=True)
    with write(db) as tx:
        tx.execute(text("UPDATE store SET change_version = 1"))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["store.db", "store.db-shm", "store.db-wal"]
    assert {mode(file) for file in files} == {0o600}
    assert {mode(path.parent), mode(path.parent.parent)} == {0o700}
    close(db)


def test_a_sqlite_store_has_the_properties_that_last(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/a store 100%?.db", create=True)
    with read(db) as tx:
        found = {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "page_size")}
        assert found == {"journal_mode": "wal", "page_size": 16_384}
    close(db)


@pytest.mark.parametrize("content", [b"", b"shopping list\n" * 20], ids=["empty", "text"])
@pytest.mark.parametrize("create", [False, True])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes, create: bool) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match="not a database"):
        open_database(f"sqlite:///{path}", create=create, upgrade=create)
    assert path.read_bytes() == content


def test_another_programs_sqlite_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE contacts (id)")
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="another program"):
        open_database(f"sqlite:///{path}", create=True, upgrade=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("table", ["contacts", "alembic_version", "store"])
def test_another_programs_postgresql_tables_are_refused(postgres: Server, table: str) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    postgres.execute(sql.SQL("CREATE TABLE {} (id int)").format(sql.Identifier(table)), database=name)
    with pytest.raises(StoreUnusable, match="another program"):
        open_database(url, create=True, upgrade=True)


def test_a_postgresql_database_with_unrelated_tables_takes_a_store(postgres: Server) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    postgres.execute(sql.SQL("CREATE TABLE invoices (id int)"), database=name)
    opened(url, create=True)
    opened(url)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_postgresql_database_that_cannot_hold_every_name_is_refused(postgres: Server, encoding: str) -> None:
    with pytest.raises(StoreUnusable, match=encoding):
        open_database(postgres.new_database(encoding=encoding), create=True)


def test_a_store_from_a_later_program_is_refused_naming_both(store_url: str) -> None:
    db = open_database(store_url, create=True)
    with write(db) as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    close(db)
    for upgrade in (False, True):
        with pytest.raises(StoreUnusable, match=f"'9999'.*{migrate.head()!r}"):
            open_database(store_url, create=True, upgrade=upgrade)


def test_an_unreachable_server_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        open_database(f"postgresql+psycopg://postgres:secret@/nothing?host={tmp_path}")


def test_a_missing_database_is_not_worth_another_try(postgres: Server) -> None:
    with pytest.raises(StoreUnusable, match="does not exist"):
        open_database(postgres.url("nowhere"))


def test_a_pooler_of_transactions_can_be_spared_prepared_statements(postgres: Server) -> None:
    url = postgres.new_database()
    close(open_database(url, create=True))
    for address, is_prepared in ((url, True), (f"{url}&prepare_threshold=none", False)):
        db = open_database(address)
        with read(db) as tx:
            for _ in range(10):
                tx.execute(text("SELECT product FROM store"))
            assert bool(tx.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar()) == is_prepared
        close(db)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hello",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:secret@h/d",
        "postgresql+asyncpg://u:secret@h/d",
        "postgresql://u:secret@h/d?prepare_threshold=some",
    ],
)
def test_an_address_that_is_no_store_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreUnusable) as refused:
        open_database(url, create=True)
    assert "secret" not in str(refused.value)
    assert "database.url" in refused.value.hint


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file"):
        open_database(f"sqlite:///{tmp_path}/file/store.db", create=True)


def test_of_many_who_create_a_store_at_once_all_get_the_same(store_url: str) -> None:
    code = (
        "import sys; from contacts_sync.store.engine import *; "
        "db = open_database(sys.argv[1], create=True, upgrade=True)\n"
        "with write(db) as tx: tx.exec_driver_sql('UPDATE store SET change_version = change_version + 1')\n"
        "close(db)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, store_url]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    db = open_database(store_url)
    with read(db) as tx:
        assert tx.execute(text("SELECT change_version FROM store")).scalar() == 4
    close(db)


def test_opening_a_store_twice_takes_no_lock_away_from_the_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    first = open_database(url, create=True)
    with read(first) as tx:
        assert connections.every(tx) == []
    close(open_database(url))
    another_process = (
        "import sqlite3, sys; store = sqlite3.connect(sys.argv[1]); "
        "store.execute('UPDATE store SET change_version = change_version + 1'); store.commit(); store.close()"
    )
    for version in (1, 2):
        subprocess.run([sys.executable, "-c", another_process, str(tmp_path / "store.db")], check=True, timeout=60)
        with read(first) as tx:
            assert connections.change_version(tx) == version
    close(first)


def test_a_file_system_without_shared_memory_holds_no_store(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{tmp_path}/store.db?vfs=unix-dotfile", uri=True)) as connection,
        pytest.raises(StoreUnusable, match="file system"),
    ):
        dialect.format_sqlite(connection)


def test_a_copy_without_its_write_ahead_log_is_an_older_store(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    with write(db) as tx:
        tx.execute(text("UPDATE store SET change_version = 7"))
    shutil.copy(tmp_path / "store.db", tmp_path / "copy.db")
    copy = open_database(f"sqlite:///{tmp_path}/copy.db")
    with read(copy) as tx:
        fsck.refuse_damaged(tx)
        assert tx.execute(text("SELECT change_version FROM store")).scalar() == 0
    close(copy)
    close(db)
