from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import Select, bindparam, delete, select, text, update

from contacts_sync.errors import LeaseLost, StoreUnavailable, StoreUnusable
from contacts_sync.model import RunKind, RunStatus
from contacts_sync.store.columns import Instant
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.tables import contact_emails, contacts, sync_runs
from tests.store.given import NOW, connected, person, queued, stored

OF_USER = sync_runs.c.user_id == bindparam("of_user")


def test_rows_come_as_sqlalchemy_would_bring_them(db: Database) -> None:
    connected(db, "alice")
    queued(db, "alice")
    stored(db, "alice", person(1))
    with read(db) as tx:
        for query in (select(sync_runs), select(contact_emails), select(contacts.c.id, contacts.c.synced_at)):
            assert Prepared(query).rows(tx) == [tuple(row) for row in tx.execute(query)]


def test_values_go_as_sqlalchemy_would_send_them(db: Database) -> None:
    connected(db, "alice")
    queued(db, "alice")
    values = {"kind": RunKind.FULL, "status": RunStatus.RUNNING, "lease_expires_at": bindparam("lease_end")}
    leasing = Prepared(update(sync_runs).where(OF_USER).values(values).returning(sync_runs.c.lease_expires_at))
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    with write(db) as tx:
        assert leasing.row(tx, of_user="alice", lease_end=elsewhere) == (NOW,)
        assert leasing.row(tx, of_user="alice", lease_end=None) == (None,)
        assert tx.execute(select(sync_runs.c.kind, sync_runs.c.status)).one() == ("full", "running")
        with pytest.raises(ValueError, match="aware"):
            leasing.row(tx, of_user="alice", lease_end=datetime(2026, 1, 1))


def test_a_value_that_is_named_twice_is_converted_once(db: Database) -> None:
    connected(db, "alice")
    queued(db, "alice")
    at = (
        sync_runs.c.queued_at <= bindparam("at", type_=Instant),
        sync_runs.c.not_before <= bindparam("at", type_=Instant),
    )
    with read(db) as tx:
        assert Prepared(select(sync_runs.c.user_id).where(*at)).row(tx, at=NOW) == ("alice",)


def test_a_change_tells_how_many_rows_it_has_met(db: Database) -> None:
    for user in ("alice", "bob"):
        connected(db, user)
        queued(db, user)
    forgetting = Prepared(delete(sync_runs).where(OF_USER))
    with write(db) as tx:
        assert [forgetting.change(tx, of_user=user) for user in ("alice", "alice", "bob")] == [1, 0, 1]


def test_nothing_found_is_no_row(db: Database) -> None:
    with read(db) as tx:
        assert Prepared(select(sync_runs).where(OF_USER)).row(tx, of_user="nobody") is None


def test_what_it_changes_is_kept_only_if_the_transaction_ends_well(db: Database) -> None:
    connected(db, "alice")
    queued(db, "alice")
    with suppress(LeaseLost), write(db) as tx:
        Prepared(delete(sync_runs)).change(tx)
        raise LeaseLost("taken back")
    with read(db) as tx:
        assert Prepared(select(sync_runs)).row(tx)


def test_a_reader_cannot_write_past_sqlalchemy_either(db: Database) -> None:
    with pytest.raises((StoreUnavailable, StoreUnusable)), read(db) as tx:
        Prepared(delete(sync_runs)).change(tx)


def test_an_error_of_the_driver_leaves_the_room_as_ours(db: Database) -> None:
    broken: Select[tuple[int]] = select(text("1")).select_from(text("nowhere"))
    with pytest.raises(StoreUnusable, match="nowhere"), read(db) as tx:
        Prepared(broken).rows(tx)
