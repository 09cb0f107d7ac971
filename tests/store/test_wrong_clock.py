"""What is left of a time when the clock was years ahead (P18)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from contacts_sync.model import Pause
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.tables import sync_runs
from contacts_sync.store.wrong_clock import set_right
from tests.store.given import LEASE, MINUTE, NOW, claimed, connected, now_of, queued, running

YEARS = timedelta(days=3650)
WINDOW = timedelta(hours=4)


def corrected(db: Database) -> int:
    with write(db) as tx:
        return set_right(tx, NOW, longest_wait=WINDOW)


def test_a_run_put_off_by_years_begins_now_and_one_that_waits_for_its_time_goes_on_waiting(db: Database) -> None:
    connected(db, "alice", "bob")
    far = queued(db, "alice", not_before=NOW + YEARS)
    near = queued(db, "bob", not_before=NOW + WINDOW)
    assert corrected(db) == 1
    assert [now_of(db, run).not_before for run in (far, near)] == [NOW, NOW + WINDOW]


def test_a_probe_that_was_years_away_is_due(db: Database) -> None:
    with write(db) as tx:
        nodes.set_pause(tx, Pause("OperatorTrouble", "certificates from the future", "", NOW, NOW + YEARS))
    assert corrected(db) == 1
    connected(db, "alice")
    queued(db, "alice")
    assert [run.user_id for run in claimed(db)] == ["alice"]


def test_slots_are_made_up_for_again(db: Database) -> None:
    connected(db, "alice", now=NOW + YEARS)
    queued(db, "alice", NOW + YEARS, not_before=NOW)
    corrected(db)
    with read(db) as tx:
        assert runs.latest_slots(tx) == {}
        found = connections.get(tx, "alice")
    assert found
    assert found.scheduled_since == NOW


def test_hosts_whose_clocks_differ_by_minutes_correct_nothing(db: Database) -> None:
    ahead = NOW + 5 * MINUTE
    connected(db, "alice", now=ahead)
    queued(db, "alice", ahead)
    with write(db) as tx:
        nodes.set_pause(tx, Pause("OperatorTrouble", "no", "", ahead, ahead + MINUTE))
    assert corrected(db) == 0


def test_a_lease_given_before_the_clock_was_set_back_ends(db: Database) -> None:
    run = running(db, now=NOW + YEARS)
    with write(db) as tx:
        assert [one.id for one in runs.take_back(tx, NOW)] == [run.id]


def test_a_run_never_ends_before_it_began(db: Database) -> None:
    run = running(db)
    earlier = NOW - timedelta(hours=8)
    with write(db) as tx:
        runs.fail(tx, run, "w1", earlier, error_type="X", message="x", traceback=None)
    assert now_of(db, run).finished_at == NOW


def test_ends_that_are_still_to_come_are_no_news(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.hold(tx, run, "w1", NOW, LEASE)
        runs.fail(tx, run, "w1", NOW, error_type="X", message="x", traceback=None)
        tx.execute(update(sync_runs).values(finished_at=NOW + YEARS))
        assert runs.latest_ends(tx, 5, NOW) == []
