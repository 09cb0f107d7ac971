from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Row, create_engine, inspect, text

from contacts_sync.errors import DaemonRunning, StoreUnusable
from contacts_sync.model import Node
from contacts_sync.store import contacts, migrate, nodes, tables
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.postgres import Server


def test_the_migrations_lead_to_the_tables_as_written(db: Database) -> None:
    with read(db) as tx:
        context = MigrationContext.configure(tx, opts={"include_name": is_reflected})
        assert compare_metadata(context, tables.metadata) == []


def is_reflected(name: str | None, *_: object) -> bool:
    """SQLAlchemy can't describe a full-text index; the statements below are compared instead."""
    return name == "search_text" or "search" not in (name or "")


def test_the_migrations_lead_to_the_same_sqlite_statements(tmp_path: Path) -> None:
    every = text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE 'alembic%'")
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    with read(db) as tx:
        migrated = tx.execute(every).all()
    close(db)
    plain = create_engine("sqlite://")
    with plain.connect() as connection:
        tables.metadata.create_all(connection)
        assert sorted(map(plainly, migrated)) == sorted(map(plainly, connection.execute(every).all()))
    plain.dispose()


def plainly(row: Row[Any]) -> tuple[str, str]:
    return row.name, " ".join(str(row.sql).split()).replace(" ,", ",")


def test_the_revisions_are_alembics() -> None:
    scripts = ScriptDirectory(str(migrate.SCRIPTS))
    assert [script.revision for script in scripts.walk_revisions()] == migrate.REVISIONS[::-1]
    assert scripts.get_heads() == [migrate.head()]


def test_upgrading_what_is_new_already_changes_nothing(db: Database) -> None:
    migrate.upgrade(db)
    migrate.upgrade(db)
    with read(db) as tx:
        assert tx.execute(text("SELECT count(*) FROM store")).scalar() == 1


@pytest.mark.usefixtures("db")
def test_an_older_store_is_refused_with_the_command_that_upgrades_it(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = migrate.head()
    monkeypatch.setattr(migrate, "head", lambda: "next")
    with pytest.raises(StoreUnusable, match=f"'{here}'.*'next'") as refused:
        open_database(store_url)
    assert refused.value.hint == "contacts-sync db upgrade"


def test_a_failed_migration_leaves_no_trace(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    db = open_database(store_url, create=True)
    with write(db) as tx:
        if store_url.startswith("sqlite"):
            tx.execute(text("DROP TABLE contact_search"))
        for table in reversed(tables.metadata.sorted_tables):
            tx.execute(text(f"DROP TABLE {table.name}"))
        tx.execute(text("DROP TABLE alembic_version"))
        tx.execute(text("CREATE TABLE unrelated (id integer)"))
        tx.execute(text("CREATE INDEX ix_sync_runs_finished_at ON unrelated (id)"))
    with pytest.raises(StoreUnusable):
        migrate.upgrade(db)
    with read(db) as tx:
        assert inspect(tx).get_table_names() == ["unrelated"]
    close(db)


def test_a_store_of_the_first_schema_is_searchable_once_it_is_upgraded(store_url: str) -> None:
    db = old_store(store_url, "0001")
    with write(db) as tx:
        tx.execute(
            text(
                "INSERT INTO contacts (id, user_id, resource_name, payload, display_name) VALUES (7, 'a', 'p', '{}', 'Zoë')"
            )
        )
        tx.execute(
            text(
                "INSERT INTO contact_phones (contact_id, position, value, is_primary) VALUES (7, 0, '0170 123', false)"
            )
        )
    migrate.upgrade(db)
    with read(db) as tx:
        assert (
            [row.id for row in contacts.search(tx, "zoe")] == [row.id for row in contacts.search(tx, "170123")] == [7]
        )
    close(db)


def old_store(store_url: str, revision: str) -> Database:
    """A store as an earlier program left it."""
    with pytest.MonkeyPatch.context() as then:
        then.setattr(migrate, "head", lambda: revision)
        return open_database(store_url, create=True)


def test_an_older_store_that_a_daemon_works_on_is_not_upgraded_under_it(store_url: str) -> None:
    db = old_store(store_url, "0001")
    daemon = Node("w1", "daemon", "elsewhere", "boot", 1, "0.0.9", datetime.now(UTC), datetime.now(UTC))
    with write(db) as tx:
        nodes.beat(tx, daemon)
    with nodes.hold_store(db), pytest.raises(DaemonRunning):
        open_database(store_url, upgrade=True)
    assert migrate.current(db) == "0001"
    with write(db) as tx:
        nodes.leave(tx, "w1")
    close(open_database(store_url, upgrade=True))
    assert migrate.current(db) == migrate.head()
    close(db)


def test_payloads_are_compressed_lightly_from_the_upgrade_on(postgres: Server) -> None:
    db = old_store(postgres.new_database(), "0006")
    migrate.upgrade(db)
    with read(db) as tx:
        how = "SELECT attstorage, attcompression FROM pg_attribute WHERE attrelid = 'contacts'::regclass AND attname = 'payload'"
        storage, compression = tx.execute(text(how)).one()
    close(db)
    assert (storage, compression) in {("e", ""), ("x", "l")}  # without lz4 in the server, and with it
