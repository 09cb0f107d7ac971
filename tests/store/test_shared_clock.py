from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts_sync.store import runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.shared_clock import asked, compare, is_steady, shared
from tests.store.given import LEASE, MINUTE, claimed, connected, queued

SLOW = timedelta(minutes=5)


def late_host() -> datetime:
    """The clock of a host that is five minutes slow."""
    return datetime.now(UTC) - SLOW


def is_server(db: Database) -> bool:
    return db.path is None


def test_a_slow_host_learns_from_the_server_and_a_file_has_no_clock(db: Database) -> None:
    ahead = compare(db, late_host())
    assert abs(ahead - (SLOW if is_server(db) else timedelta(0))) < MINUTE
    with read(db) as tx:
        assert shared(tx, late_host()) - late_host() - ahead < MINUTE
        assert abs(asked(tx, late_host()) - datetime.now(UTC)) < (MINUTE if is_server(db) else 2 * SLOW)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_slow_hosts_run_is_not_taken_back_by_a_host_whose_clock_is_right(db: Database) -> None:
    compare(db, late_host())
    connected(db, "alice")
    queued(db, "alice", late_host())
    claimed(db, now=late_host())
    with write(db) as tx:
        runs.renew(tx, "w1", late_host(), LEASE)
    compare(db, datetime.now(UTC))
    with write(db) as tx:
        assert runs.take_back(tx, datetime.now(UTC)) == []
        assert len(runs.take_back(tx, datetime.now(UTC) + LEASE + MINUTE)) == 1


def test_after_the_shared_clock_was_set_nobody_counts_as_silent_for_the_time_of_a_lease(db: Database) -> None:
    compare(db, datetime.now(UTC))
    assert is_steady(db, LEASE)
    compare(db, datetime.now(UTC) + timedelta(hours=8))
    assert is_steady(db, LEASE) == is_server(db)  # a host's clock is nothing to leases that go by the server's
    assert is_steady(db, timedelta(0))
