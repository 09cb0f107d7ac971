"""Rows past SQLAlchemy, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, select

from contacts_sync.errors import StoreUnusable
from contacts_sync.model import Changes, ContactUpdate
from contacts_sync.store import contacts, rows
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.tables import contact_emails
from contacts_sync.store.tables import contacts as contacts_table
from tests.store.given import MINUTE, NOW, person, stored


def test_an_id_is_never_given_twice(db: Database) -> None:
    first = stored(db, "alice", person(1))["people/c1"]
    with write(db) as tx:
        contacts.remove(tx, "alice", {first})
    assert stored(db, "alice", person(2))["people/c2"] > first


def test_more_rows_than_a_statement_holds_are_written_and_found(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_PARAMETERS", 40)
    ids = stored(db, "alice", *map(person, range(5)))
    updates = tuple(ContactUpdate(ids[f"people/c{n}"], person(n, display_name=f"Renamed{n}")) for n in range(5))
    with write(db) as tx:
        contacts.apply(tx, "alice", contacts.ready(Changes(updates=updates)), NOW + MINUTE)
    with read(db) as tx:
        found = [contacts.search(tx, f"renamed{n}") for n in range(5)]
        assert not contacts.search(tx, "Person")
    assert [row.id for (row,) in found] == [ids[f"people/c{n}"] for n in range(5)]


@given(st.integers(0, 20_000), st.integers(1, 32_000))
def test_rows_are_cut_into_statements_of_few_sizes(number: int, most: int) -> None:
    cut = list(rows.sizes(number, most))
    assert sum(cut) == number
    assert all(size <= most and (size == rows.PAGE or size.bit_count() == 1) for size in cut)


@given(st.integers(1, 20_000), st.integers(1, 32_000))
def test_where_rows_may_come_twice_less_than_a_quarter_of_a_statement_does(number: int, most: int) -> None:
    *whole, last = rows.sizes(number, most, filled=True)
    assert 0 <= sum(whole) + last - number < max(1, last / 4)
    assert all(size <= most and (size == rows.PAGE or size.bit_count() == 1) for size in [*whole, last])


def test_what_the_driver_refuses_is_an_error_of_ours_and_nothing_is_kept(db: Database) -> None:
    id_ = stored(db, "alice", person(1))["people/c1"]
    columns = ("contact_id", "position", "value", "type", "is_primary")
    with pytest.raises(StoreUnusable), write(db) as tx:
        rows.insert(tx, contact_emails, columns, [(id_, 0, "a@b", None, True), (id_, 0, "c@d", None, False)])
    with read(db) as tx:
        shown = contacts.show(tx, id_)
    assert shown is not None
    assert not shown.emails


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_rows_that_are_fetched_at_once_are_the_rows(db: Database, user: str) -> None:
    stored(db, "alice", person(1, display_name='Zoë "Z" \\ 東京\n'), person(2, display_name=None))
    query = select(contacts_table.c.id, contacts_table.c.display_name)
    mine = rows.Fetch(query.where(contacts_table.c.user_id == bindparam("of_user")))
    with read(db) as tx:
        plainly = tx.execute(query.where(contacts_table.c.user_id == user))
        assert [tuple(row) for row in mine.rows(tx, of_user=user)] == [tuple(row) for row in plainly]
