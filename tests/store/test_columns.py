from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import sqlite

from contacts_sync.model import Node
from contacts_sync.store import nodes, tables
from contacts_sync.store.columns import Instant, compress_lightly
from contacts_sync.store.engine import Database, read, write
from tests.store.given import NOW

SQLITE = sqlite.dialect()
INSTANTS = st.integers(0, 8_000_000_000_000_000).map(lambda after: NOW + timedelta(microseconds=after))


@given(INSTANTS, INSTANTS)
def test_as_text_instants_sort_like_instants(one: datetime, other: datetime) -> None:
    texts = [Instant().process_bind_param(instant, SQLITE) for instant in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)
    assert Instant().result_processor(SQLITE, None)(texts[0]) == one


def test_instants_come_back_in_utc(db: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30))) + timedelta(microseconds=1)
    with write(db) as tx:
        nodes.beat(tx, Node("w1", "daemon", "h", "b", 1, "0", there, there))
        (node,) = nodes.every(tx)
    assert node.started_at == there
    assert node.started_at.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(db: Database) -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises(Exception, match="aware instants"), write(db) as tx:
        nodes.beat(tx, Node("w1", "daemon", "h", "b", 1, "0", naive, naive))


def test_a_payload_is_stored_as_the_database_does_it_best(db: Database) -> None:
    with write(db) as tx:
        tx.execute(insert(tables.contacts), {"user_id": "a", "resource_name": "p", "payload": '{"b": 1}'})
    name = "json_type(payload)" if db.path else "jsonb_typeof(payload)"
    with read(db) as tx:
        assert tx.execute(text(f"SELECT {name} FROM contacts")).scalar() == "object"
        assert tx.execute(select(tables.contacts.c.payload)).scalar() == '{"b": 1}'


def test_an_application_can_delete_a_contact_with_all_that_belongs_to_it(db: Database) -> None:
    with write(db) as tx:
        tx.execute(insert(tables.contacts), {"user_id": "a", "resource_name": "p", "payload": "{}"})
        tx.execute(text("INSERT INTO contact_emails VALUES (1, 0, 'x@example.com', 'home', true)"))
        tx.execute(text("DELETE FROM contacts"))
        assert tx.execute(text("SELECT count(*) FROM contact_emails")).scalar() == 0


@pytest.mark.parametrize(
    ("methods", "how"),
    [(["pglz", "lz4"], "COMPRESSION lz4"), (["pglz"], "STORAGE EXTERNAL"), (None, "STORAGE EXTERNAL")],
    ids=["lz4", "without lz4", "before 14"],
)
def test_payloads_are_compressed_as_the_server_was_built(methods: list[str] | None, how: str) -> None:
    tx = Mock()  # the tests' server was built in one of these ways only
    tx.dialect.name = "postgresql"
    tx.exec_driver_sql.return_value.scalar.return_value = methods
    compress_lightly(tx, "contacts", "payload")
    tx.exec_driver_sql.assert_called_with(f"ALTER TABLE contacts ALTER COLUMN payload SET {how}")
