from __future__ import annotations

import threading
from datetime import timedelta

from contacts_sync.model import RunKind, RunStatus, Trigger
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import Database, read, write
from tests.store.given import LEASE, MINUTE, NOW, claimed, connected, now_of, queued, running

SLOT = "2026-03-01T02:00[UTC]"


def wanted(user: str, slot: str = SLOT) -> runs.Wanted:
    return runs.Wanted(user_id=user, trigger=Trigger.SCHEDULE, slot=slot, not_before=NOW)


def fire(db: Database, *items: runs.Wanted) -> int:
    with write(db) as tx:
        return runs.enqueue_many(tx, items, NOW)


def test_a_queued_run_is_as_it_was_asked_for(db: Database) -> None:
    later = NOW + MINUTE
    run = queued(db, "alice", kind=RunKind.FULL, trigger=Trigger.CATCH_UP, slot=SLOT, not_before=later)
    assert (run.user_id, run.kind, run.trigger, run.status) == ("alice", "full", "catch_up", "queued")
    assert (run.slot, run.not_before, run.queued_at) == (SLOT, later, NOW)
    assert (run.attempts, run.starts, run.worker_id) == (0, 0, None)
    assert now_of(db, run) == run


def test_a_second_run_of_a_user_attaches_to_the_first(db: Database) -> None:
    queued(db, "aaron")
    first = queued(db, "alice")
    with write(db) as tx:
        again = runs.enqueue(tx, user_id="alice", kind=RunKind.FULL, trigger=Trigger.RETRY, now=NOW)
    assert again == (first, False)


def test_a_second_run_attaches_to_a_running_one_too(db: Database) -> None:
    run = running(db)
    assert queued(db, "alice") == run


def test_a_slot_has_one_run_even_after_it_has_ended(db: Database) -> None:
    run = running(db, slot=SLOT)
    with write(db) as tx:
        runs.fail(tx, run, "w1", NOW, error_type="E", message="m", traceback=None)
        same, created = runs.enqueue(
            tx, user_id="alice", kind=RunKind.INCREMENTAL, trigger=Trigger.SCHEDULE, now=NOW, slot=SLOT
        )
    assert (same.id, same.status, created) == (run.id, RunStatus.FAILED, False)
    connected(db, "bob")
    other = queued(db, "bob", slot=SLOT)
    assert queued(db, "bob", slot=SLOT) == other
    assert (other.user_id, queued(db, "bob", slot="2026-03-02T02:00[UTC]")) == ("bob", other)
    assert fire(db, wanted("alice")) == 0


def test_of_many_who_queue_a_run_at_once_one_succeeds(db: Database) -> None:
    answers: list[tuple[int, bool]] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        with write(db) as tx:
            run, created = runs.enqueue(tx, user_id="alice", kind=RunKind.FULL, trigger=Trigger.MANUAL, now=NOW)
        answers.append((run.id, created))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id_ for id_, _ in answers}) == 1
    assert sorted(created for _, created in answers) == [False] * 7 + [True]


def test_a_herd_is_queued_in_one_go_each_user_once(db: Database) -> None:
    users = [f"u{number:04}" for number in range(1_200)]
    connected(db, *users)
    assert fire(db, *(wanted(user) for user in users)) == 1_200
    assert fire(db, *(wanted(user) for user in users)) == 0


def test_a_firing_of_somebody_not_connected_is_dropped(db: Database) -> None:
    connected(db, "alice", "bob")
    with write(db) as tx:
        connections.needs_reauth(tx, "bob", "revoked")
    assert fire(db, wanted("bob"), wanted("nobody")) == 0
    assert fire(db, wanted("alice"), wanted("bob"), wanted("nobody")) == 1


def test_a_firing_that_meets_a_run_is_that_runs_slot(db: Database) -> None:
    run = running(db)
    queued(db, "somebody else", slot=SLOT)
    assert fire(db, wanted("alice")) == 0
    assert now_of(db, run).slot == SLOT


def test_a_slot_that_has_its_run_is_not_given_to_another(db: Database) -> None:
    done = running(db, slot=SLOT)
    with write(db) as tx:
        runs.fail(tx, done, "w1", NOW, error_type="E", message="m", traceback=None)
    manual = queued(db, "alice")
    assert fire(db, wanted("alice")) == 0
    assert now_of(db, manual).slot is None


def test_a_firing_does_not_take_the_slot_of_a_run_that_has_one(db: Database) -> None:
    run = running(db, slot=SLOT)
    assert fire(db, wanted("alice", "2026-03-02T02:00[UTC]")) == 0
    assert now_of(db, run).slot == SLOT


def test_an_operator_need_not_wait_for_a_run_that_was_spread(db: Database) -> None:
    queued(db, "alice", not_before=NOW + timedelta(hours=2))
    assert queued(db, "alice").not_before == NOW


def test_an_operator_cannot_hasten_a_run_that_google_deferred(db: Database) -> None:
    run, later = running(db), NOW + timedelta(hours=2)
    with write(db) as tx:
        runs.put_back(tx, run, "w1", NOW, not_before=later, deferred=True)
    assert queued(db, "alice").not_before == later


def test_a_run_that_is_attached_to_stands_for_the_slot_unless_it_has_one(db: Database) -> None:
    ended = running(db)
    with write(db) as tx:
        runs.fail(tx, ended, "w1", NOW, error_type="E", message="m", traceback=None)
    waiting = queued(db, "alice")
    for slot in (SLOT, "2026-03-02T02:00[UTC]"):
        attached = queued(db, "alice", slot=slot)
        assert (attached.id, attached.slot) == (waiting.id, SLOT)


def test_a_later_wish_does_not_put_off_a_run(db: Database) -> None:
    queued(db, "alice")
    assert queued(db, "alice", not_before=NOW + MINUTE).not_before == NOW


def test_an_approval_reaches_a_running_run_as_it_is(db: Database) -> None:
    run = running(db)
    approved = queued(db, "alice", kind=RunKind.FULL, approves_run_id=99)
    assert (approved.id, approved.kind, approved.approves_run_id) == (run.id, RunKind.INCREMENTAL, 99)


def test_a_fired_run_is_as_it_was_wanted(db: Database) -> None:
    connected(db, "alice")
    item = runs.Wanted("alice", Trigger.CATCH_UP, SLOT, NOW + MINUTE, RunKind.FULL)
    assert fire(db, item) == 1
    with read(db) as tx:
        run = runs.active(tx)["alice"]
    assert (run.kind, run.trigger, run.slot, run.not_before, run.queued_at) == (
        "full",
        "catch_up",
        SLOT,
        NOW + MINUTE,
        NOW,
    )


def test_an_approval_reaches_a_run_that_is_queued_already(db: Database) -> None:
    waiting = queued(db, "alice")
    approved = queued(db, "alice", kind=RunKind.FULL, approves_run_id=99)
    assert (approved.id, approved.kind, approved.approves_run_id) == (waiting.id, RunKind.FULL, 99)


def test_only_a_queued_run_can_be_made_full(db: Database) -> None:
    connected(db, "alice")
    run, other = queued(db, "alice"), queued(db, "bob")
    with write(db) as tx:
        assert runs.make_full(tx, run.id)
    assert (now_of(db, run).kind, now_of(db, other)) == (RunKind.FULL, other)
    claimed(db)
    with write(db) as tx:
        assert not runs.make_full(tx, run.id)


def test_slots_stay_covered_whatever_happens_to_their_runs(db: Database) -> None:
    connected(db, "alice", "bob", "carol")
    fire(db, wanted("alice"))
    queued(db, "bob", NOW + MINUTE)
    with write(db) as tx:
        runs.cancel(tx, "alice", NOW)
        runs.cancel(tx, "bob", NOW)
        runs.prune(tx, succeeded_before=NOW + LEASE, failed_before=None)
    queued(db, "bob", NOW - MINUTE)
    with read(db) as tx:
        assert runs.latest_slots(tx) == {"alice": NOW, "bob": NOW + MINUTE}


def test_a_cancelled_run_makes_room_for_the_next(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        assert runs.cancel(tx, "alice", NOW + MINUTE) == 1
        assert runs.cancel(tx, "alice", NOW + MINUTE) == 0
    ended = now_of(db, run)
    assert (ended.status, ended.finished_at, ended.lease_expires_at) == (RunStatus.CANCELLED, NOW + MINUTE, None)
    assert queued(db, "alice").id != run.id
