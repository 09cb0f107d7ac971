from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text

from contacts_sync.errors import LeaseLost, StoreUnusable
from contacts_sync.model import Bounds, Changes, Counters, OwnSchedule, Run, RunKind, RunStatus, SyncState, Trigger
from contacts_sync.store import connections, contacts, interval_schedules, runs
from contacts_sync.store.engine import Database, Transaction, read, write
from tests.store.given import LEASE, MINUTE, NOW, claimed, connected, now_of, person, queued, running


def state_of(db: Database, user: str = "alice") -> SyncState:
    with read(db) as tx:
        return connections.sync_state(tx, user)


def hold(tx: Transaction, run: Run) -> None:
    runs.hold(tx, run, "w1", NOW, LEASE)


def succeed(tx: Transaction, run: Run) -> None:
    runs.succeed(tx, run, "w1", NOW, contacts_sync_token="ct", groups_sync_token="gt", fingerprint="f")


def fail(tx: Transaction, run: Run) -> None:
    runs.fail(tx, run, "w1", NOW, error_type="PassingTrouble", message="no\n  luck", traceback="Traceback …")


def put_back(tx: Transaction, run: Run) -> None:
    runs.put_back(tx, run, "w1", NOW)


def lose_to_cancel(tx: Transaction, run: Run) -> None:
    runs.cancel(tx, run.user_id, NOW)


def lose_to_disconnect(tx: Transaction, run: Run) -> None:
    connections.disconnect(tx, run.user_id, NOW)


def lose_to_purge(tx: Transaction, run: Run) -> None:
    connections.purge(tx, run.user_id)


def lose_to_another_worker(tx: Transaction, run: Run) -> None:
    assert runs.take_back(tx, NOW + 2 * LEASE) != []
    assert runs.claim(tx, worker_id="w2", now=NOW, lease=LEASE, limit=1)[0].id == run.id


WRITES = [hold, runs.begin_attempt, runs.turn_full, succeed, fail, put_back]
LOSSES = [lose_to_cancel, lose_to_disconnect, lose_to_purge, lose_to_another_worker]


@pytest.mark.parametrize("attempt", WRITES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("lose", LOSSES, ids=lambda function: function.__name__)
def test_a_worker_that_lost_its_run_can_write_nothing(
    db: Database, lose: Callable[[Transaction, Run], None], attempt: Callable[[Transaction, Run], None]
) -> None:
    run = running(db)
    with write(db) as tx:
        lose(tx, run)
    before = state_of(db)
    with pytest.raises(LeaseLost, match="run 1 of user 'alice'"), write(db) as tx:
        attempt(tx, run)
    assert state_of(db) == before


def test_holding_renews_the_lease_and_adds_up_the_counters(db: Database) -> None:
    run = running(db)
    for _ in range(2):
        with write(db) as tx:
            counters = Counters(contacts_imported=3, groups_deleted=1)
            runs.hold(tx, run, "w1", NOW + MINUTE, LEASE, counters)
    held = now_of(db, run)
    assert held.counters == Counters(contacts_imported=6, groups_deleted=2)
    assert held.lease_expires_at == NOW + MINUTE + LEASE


def test_counters_of_a_page_that_is_rolled_back_do_not_count(db: Database) -> None:
    run = running(db)
    page = Changes(inserts=(person(1), person(1)))
    with suppress(StoreUnusable), write(db) as tx:
        runs.hold(tx, run, "w1", NOW, LEASE, page.counters)
        contacts.apply(tx, "alice", contacts.ready(page), NOW)
    assert now_of(db, run).counters == Counters()


def test_a_full_success_leaves_where_the_next_run_starts(db: Database) -> None:
    run = running(db, kind=RunKind.FULL)
    with write(db) as tx:
        succeed(tx, run)
    ended = now_of(db, run)
    assert (ended.status, ended.finished_at, ended.lease_expires_at) == (RunStatus.SUCCEEDED, NOW, None)
    assert state_of(db) == SyncState("alice", "ct", "gt", "f", "succeeded", last_full_sync_at=NOW, last_success_at=NOW)


def test_an_incremental_success_keeps_the_time_of_the_full_one(db: Database) -> None:
    run = running(db, kind=RunKind.FULL)
    with write(db) as tx:
        succeed(tx, run)
    later = NOW + timedelta(days=1)
    queued(db, "alice", later)
    (run,) = claimed(db, now=later)
    with write(db) as tx:
        runs.succeed(tx, run, "w1", later, contacts_sync_token="c2", groups_sync_token=None, fingerprint="f")
    state = state_of(db)
    assert (state.last_full_sync_at, state.last_incremental_sync_at) == (NOW, later)
    assert (state.contacts_sync_token, state.last_success_at) == ("c2", later)


def test_after_a_success_a_user_at_intervals_is_due_again(db: Database) -> None:
    connected(db, "alice")
    hourly = OwnSchedule(timezone="UTC", bounds=Bounds(timedelta(hours=1), timedelta(hours=1)))
    with write(db) as tx:
        connections.set_schedule(tx, "alice", hourly, now=NOW)
    queued(db, "alice", slot="2026-03-01T02:00[UTC]")
    (run,) = claimed(db)
    with write(db) as tx:
        succeed(tx, run)
        due = interval_schedules.get(tx, "alice")
    assert due is not None
    assert due.next_slot_at is not None
    assert NOW < due.next_slot_at <= NOW + timedelta(hours=1)


def test_a_run_that_turned_full_counts_as_full(db: Database) -> None:
    run = running(db, kind=RunKind.INCREMENTAL)
    with write(db) as tx:
        assert runs.turn_full(tx, run).kind is RunKind.FULL
    with write(db) as tx:
        succeed(tx, run)
    assert now_of(db, run).kind is RunKind.FULL
    assert state_of(db).last_full_sync_at == NOW


def test_a_failure_keeps_its_error_and_is_counted(db: Database) -> None:
    for number in (1, 2):
        run = running(db) if number == 1 else (queued(db, "alice"), *claimed(db))[1]
        with write(db) as tx:
            fail(tx, run)
        ended = now_of(db, run)
        assert (ended.status, ended.error_type, ended.error_message, ended.error_traceback) == (
            RunStatus.FAILED,
            "PassingTrouble",
            "no\n  luck",
            "Traceback …",
        )
        state = state_of(db)
        assert (state.last_status, state.last_error, state.consecutive_failures) == (
            "failed",
            "no luck",
            number,
        )


def test_a_success_forgives_earlier_failures_and_keeps_tokens_through_them(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        succeed(tx, run)
    queued(db, "alice")
    (run,) = claimed(db)
    with write(db) as tx:
        fail(tx, run)
    assert state_of(db).contacts_sync_token == "ct"
    queued(db, "alice")
    (run,) = claimed(db)
    with write(db) as tx:
        succeed(tx, run)
    state = state_of(db)
    assert (state.last_status, state.last_error, state.consecutive_failures) == ("succeeded", None, 0)


def test_attempts_are_counted_and_given_back(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.begin_attempt(tx, run)
        assert runs.require(tx, run.id).attempts == 2
        back = runs.put_back(tx, run, "w1", NOW)
    assert (back.attempts, back.status, back.worker_id, back.deferrals) == (1, RunStatus.QUEUED, None, 0)


def test_an_attempt_that_an_older_version_has_not_counted_cannot_be_given_back(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        tx.execute(text("UPDATE sync_runs SET attempts = 0"))
        assert runs.put_back(tx, run, "w1", NOW).attempts == 0


def test_a_deferral_waits_and_is_counted_since_the_first(db: Database) -> None:
    run = running(db)
    for number in (1, 2):
        now, later = NOW + number * MINUTE, NOW + (number + 1) * MINUTE
        with write(db) as tx:
            back = runs.put_back(tx, run, "w1", now, not_before=later, deferred=True)
        assert (back.deferrals, back.deferred_since, back.not_before) == (number, NOW + MINUTE, later)
        assert claimed(db, now=now) == []
        (run,) = claimed(db, now=later)


def test_what_a_run_wanted_to_remove_is_parked(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.park(tx, run.id, range(1, 2_000))
        runs.park(tx, run.id, {5, 6, 7})
    with read(db) as tx:
        assert runs.parked(tx, run.id) == {5, 6, 7}
        assert runs.parked(tx, 999) == set()


def test_a_disconnect_waits_for_the_page_being_written_and_lets_no_later_one_in(db: Database) -> None:
    run = running(db)
    writing, go_on = threading.Event(), threading.Event()

    def page() -> None:
        with write(db) as tx:
            runs.hold(tx, run, "w1", NOW, LEASE)
            writing.set()
            go_on.wait(10)
            contacts.apply(tx, "alice", contacts.ready(Changes(inserts=(person(1),))), NOW)

    def disconnect() -> None:
        with write(db) as tx:
            connections.disconnect(tx, "alice", NOW)

    threads = [threading.Thread(target=page), threading.Thread(target=disconnect)]
    threads[0].start()
    assert writing.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    with read(db) as tx:
        (known,) = contacts.known(tx, "alice", ["people/c1"], [])
        assert (known.etag, connections.sealed_grant(tx, "alice")) == (None, None)
    with pytest.raises(LeaseLost), write(db) as tx:
        runs.hold(tx, run, "w1", NOW, LEASE)


def test_wiping_waits_for_the_page_being_written(db: Database) -> None:
    run = running(db)
    writing, go_on = threading.Event(), threading.Event()

    def page() -> None:
        with write(db) as tx:
            runs.hold(tx, run, "w1", NOW, LEASE)
            contacts.apply(tx, "alice", contacts.ready(Changes(inserts=(person(1),))), NOW)
            writing.set()
            go_on.wait(10)

    def wipe() -> None:
        with write(db) as tx:
            connections.wipe_contacts(tx, "alice")
            runs.cancel(tx, "alice", NOW)

    threads = [threading.Thread(target=page), threading.Thread(target=wipe)]
    threads[0].start()
    assert writing.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    with read(db) as tx:
        assert contacts.count(tx, "alice") == 0


def test_each_users_run_is_its_own(db: Database) -> None:
    connected(db, "bob")
    run = running(db, "alice")
    with write(db) as tx:
        fail(tx, run)
    assert state_of(db, "bob") == SyncState("bob")


def attach(tx: Transaction, run: Run) -> None:
    earlier = {"now": NOW - MINUTE, "slot": "2026-03-01T02:00[UTC]", "approves_run_id": 99}
    runs.enqueue(tx, user_id=run.user_id, kind=RunKind.FULL, trigger=Trigger.MANUAL, **earlier)  # type: ignore[arg-type]  # a dict's values


def fire(tx: Transaction, run: Run) -> None:
    runs.enqueue_many(tx, [runs.Wanted(run.user_id, Trigger.SCHEDULE, "2026-03-01T02:00[UTC]", NOW)], NOW)


def renew(tx: Transaction, _run: Run) -> None:
    assert runs.renew(tx, "w1", NOW + MINUTE, LEASE) == 1


def release(tx: Transaction, _run: Run) -> None:
    assert runs.release(tx, "w1", NOW) == 1


def take_back(tx: Transaction, _run: Run) -> None:
    assert len(runs.take_back_dead(tx, ["w1"], NOW)) == 1


def abandon(tx: Transaction, _run: Run) -> None:
    assert len(runs.take_back_dead(tx, ["w1"], NOW, limit_take_backs=1)) == 1


ALL_WRITES = [*WRITES, lose_to_cancel, attach, fire, renew, release, take_back, abandon]


@pytest.mark.parametrize("act", ALL_WRITES, ids=lambda function: function.__name__)
def test_what_is_done_to_a_run_touches_no_other_one(db: Database, act: Callable[[Transaction, Run], None]) -> None:
    connected(db, "bob", "carol")
    others = [running(db, "alice")]
    with write(db) as tx:
        fail(tx, others[0])
    queued(db, "bob")
    others += claimed(db, "w2")
    others.append(queued(db, "carol", not_before=NOW + LEASE))
    queued(db, "alice")
    (run,) = claimed(db)
    before = [now_of(db, other) for other in others]
    with write(db) as tx:
        act(tx, run)
    assert [now_of(db, other) for other in others] == before
