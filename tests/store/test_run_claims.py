from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from contacts_sync.errors import LeaseLost
from contacts_sync.model import Pause, RunKind, RunStatus
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.chunks import LONGEST
from contacts_sync.store.engine import Database, Transaction, close, open_database, read, write
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.run_claims import CLAIMING, LONGEST_LEASE, RATIONED
from tests.store.given import LEASE, MINUTE, NOW, claimed, connected, now_of, queued, running

SECOND = timedelta(seconds=1)
PAUSE = Pause("OperatorTrouble", "the API is disabled", "enable it", NOW, NOW + MINUTE)


def paused(db: Database, pause: Pause = PAUSE) -> None:
    with write(db) as tx:
        nodes.set_pause(tx, pause)


def due(db: Database, now: datetime = NOW) -> bool:
    with read(db) as tx:
        return runs.is_due(tx, now)


def herd(db: Database, size: int) -> list[str]:
    users = [f"u{number:03}" for number in range(size)]
    connected(db, *users)
    for user in users:
        queued(db, user)
    return users


def test_a_claimed_run_is_its_workers_for_the_time_of_a_lease(db: Database) -> None:
    run = running(db, worker="w7")
    assert (run.status, run.worker_id, run.starts, run.attempts) == (RunStatus.RUNNING, "w7", 1, 1)
    assert (run.started_at, run.lease_expires_at) == (NOW, NOW + LEASE)
    assert claimed(db, "w8") == []


def test_the_oldest_due_runs_are_claimed_first(db: Database) -> None:
    connected(db, "a", "b", "c", "d")
    for user, minutes in (("a", 3), ("b", 1), ("c", 1), ("d", 9)):
        queued(db, user, not_before=NOW + minutes * MINUTE)
    assert [due(db, NOW + at) for at in (MINUTE - SECOND, MINUTE, 5 * MINUTE)] == [False, True, True]
    assert [run.user_id for run in claimed(db, now=NOW + 5 * MINUTE, limit=2)] == ["b", "c"]
    assert [run.user_id for run in claimed(db, now=NOW + 5 * MINUTE, limit=9)] == ["a"]


def test_claimed_runs_come_as_they_are_due(db: Database) -> None:
    connected(db, "a", "b", "c")
    for user, minutes in (("a", 3), ("b", 1), ("c", 2)):
        queued(db, user, not_before=NOW + minutes * MINUTE)
    assert [run.user_id for run in claimed(db, now=NOW + 5 * MINUTE)] == ["b", "c", "a"]


def test_waiting_and_overdue_runs_are_counted(db: Database) -> None:
    connected(db, "running", "old", "early", "spread")
    queued(db, "running")
    claimed(db)
    queued(db, "old")
    queued(db, "early", NOW + 2 * MINUTE, not_before=NOW)
    queued(db, "spread", not_before=NOW + 2 * MINUTE)
    with read(db) as tx:
        assert runs.queued(tx) == 3
        assert [runs.overdue(tx, NOW + minutes * MINUTE) for minutes in (-1, 0, 1, 2)] == [0, 1, 1, 3]


def test_only_the_runs_that_were_asked_for_are_claimed(db: Database) -> None:
    herd(db, 5)
    assert [run.id for run in claimed(db, run_ids=[2, 4, 777])] == [2, 4]


def test_among_very_many_runs_that_were_asked_for_the_limit_holds(db: Database) -> None:
    herd(db, 5)
    assert len(claimed(db, run_ids=range(1, 40_000), limit=3)) == 3


def test_the_limit_holds_over_all_pieces_of_a_long_list(db: Database) -> None:
    herd(db, 5)
    asked = range(3 - LONGEST, 6)  # 1 and 2 end the first piece
    assert [run.id for run in claimed(db, run_ids=asked, limit=3)] == [1, 2, 3]


@pytest.mark.parametrize("unlink", ["disconnect", "needs_reauth", "never connected"])
def test_a_run_of_a_user_who_is_not_connected_is_cancelled_instead(db: Database, unlink: str) -> None:
    connected(db, "alice", "bob")
    with write(db) as tx:
        if unlink == "needs_reauth":
            connections.needs_reauth(tx, "alice", "revoked")
        else:
            connections.disconnect(tx, "alice", NOW)
        if unlink == "never connected":
            connections.purge(tx, "alice")
    run = queued(db, "alice")
    queued(db, "bob")
    assert [run.user_id for run in claimed(db, now=NOW + MINUTE, limit=1)] == ["bob"]
    orphan = now_of(db, run)
    assert (orphan.status, orphan.finished_at) == (RunStatus.CANCELLED, NOW + MINUTE)
    assert orphan.error_message == "the user is not connected"
    assert (orphan.started_at, orphan.starts, orphan.attempts, orphan.worker_id) == (None, 0, 0, None)


def test_a_run_that_had_begun_before_its_user_left_keeps_what_it_did(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        (back,) = runs.take_back_dead(tx, ["w1"], NOW)
        connections.needs_reauth(tx, "alice", "revoked")
    assert claimed(db, now=NOW + MINUTE) == []
    orphan = now_of(db, run)
    assert orphan.status is RunStatus.CANCELLED
    assert (orphan.started_at, orphan.starts, orphan.attempts) == (back.started_at, back.starts, back.attempts)


def test_among_rationed_runs_an_orphan_takes_nobodys_place(db: Database) -> None:
    users = herd(db, 4)
    with write(db) as tx:
        connections.needs_reauth(tx, users[0], "revoked")
    assert [run.user_id for run in claimed(db, limit=2, full_limit=1)] == users[1:3]


@pytest.mark.parametrize("full_limit", [1, 9])
def test_a_claim_may_be_one_statement_that_is_a_transaction_by_itself(db: Database, full_limit: int) -> None:
    users = herd(db, 3)
    with write(db, autocommit=True) as tx:
        got = runs.claim(tx, worker_id="w1", now=NOW, lease=LEASE, limit=2, full_limit=full_limit)
    assert [run.user_id for run in got] == users[:2]
    assert [run.user_id for run in claimed(db, "w2")] == users[2:]


def test_no_two_threads_claim_the_same_run(db: Database) -> None:
    users = herd(db, 60)
    got: list[str] = []

    def work(worker: str) -> None:
        while mine := claimed(db, worker, limit=3):
            got.extend(run.user_id for run in mine)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == users


def test_no_two_processes_claim_the_same_run(db: Database, store_url: str) -> None:
    users = herd(db, 60)
    code = (
        "import sys\n"
        "from tests.store.given import claimed\n"
        "from contacts_sync.store.engine import close, open_database\n"
        "db = open_database(sys.argv[1])\n"
        "while mine := claimed(db, sys.argv[2], limit=2): print(*(run.user_id for run in mine), sep='\\n')\n"
        "close(db)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, store_url, f"w{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    got = [line for process in started for line in process.communicate(timeout=60)[0].split()]
    assert sorted(got) == users


def test_while_everybody_is_paused_one_run_a_minute_is_let_through(db: Database) -> None:
    herd(db, 5)
    paused(db)
    assert not due(db)
    assert claimed(db) == []
    assert due(db, NOW + MINUTE)
    assert len(claimed(db, now=NOW + MINUTE)) == 1
    assert claimed(db, now=NOW + MINUTE) == []
    assert len(claimed(db, now=NOW + 2 * MINUTE)) == 1


def test_a_probe_can_be_asked_for_at_once(db: Database) -> None:
    herd(db, 5)
    paused(db)
    with write(db) as tx:
        nodes.probe_now(tx, NOW)
    assert len(claimed(db)) == 1


def test_a_probe_may_be_a_full_sync_however_they_are_rationed(db: Database) -> None:
    connected(db, "a")
    queued(db, "a", kind=RunKind.FULL)
    paused(db, replace(PAUSE, next_probe_at=NOW))
    assert len(claimed(db, full_limit=0)) == 1


def test_the_first_success_lifts_the_pause(db: Database) -> None:
    herd(db, 5)
    paused(db, replace(PAUSE, next_probe_at=NOW))
    (probe,) = claimed(db)
    with write(db) as tx:
        runs.succeed(tx, probe, "w1", NOW, contacts_sync_token="t", groups_sync_token=None, fingerprint="f")
    assert len(claimed(db)) == 4


def test_one_statement_renews_all_leases_of_a_worker(db: Database) -> None:
    herd(db, 3)
    mine, (theirs,) = claimed(db, "w1", limit=2), claimed(db, "w2")
    with write(db) as tx:
        assert runs.renew(tx, "w1", NOW + MINUTE, LEASE) == 2
    assert {now_of(db, run).lease_expires_at for run in mine} == {NOW + MINUTE + LEASE}
    assert now_of(db, theirs) == theirs


def test_the_lease_of_a_run_that_has_ended_is_not_renewed(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.fail(tx, run, "w1", NOW, error_type="E", message="m", traceback=None)
        assert runs.renew(tx, "w1", NOW, LEASE) == 0


def test_a_silent_workers_run_is_taken_back_and_fenced_off(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        assert runs.take_back(tx, NOW + LEASE) == []
        (again,) = runs.take_back(tx, NOW + LEASE + MINUTE)
    assert (again.status, again.worker_id, again.take_backs, again.starts) == (RunStatus.QUEUED, None, 1, 1)
    with pytest.raises(LeaseLost), write(db) as tx:
        runs.hold(tx, run, "w1", NOW, LEASE)
    (other,) = claimed(db, "w2", NOW + LEASE + MINUTE)
    assert (other.id, other.starts, other.started_at) == (run.id, 2, NOW)


def test_a_run_that_kills_its_worker_three_times_fails(db: Database) -> None:
    run, now = running(db), NOW
    for _ in range(3):
        now += 2 * LEASE
        with write(db) as tx:
            (run,) = runs.take_back(tx, now)
        claimed(db, "w1", now)
    assert (run.status, run.error_type, run.take_backs) == (RunStatus.FAILED, "RunAbandoned", 3)
    with read(db) as tx:
        state = connections.sync_state(tx, "alice")
    assert (state.last_status, state.consecutive_failures) == ("failed", 1)
    assert run.error_message == "the process that ran this died or fell silent 3 times"
    assert state.last_error == run.error_message
    assert (run.finished_at, run.lease_expires_at) == (now, None)


def test_a_run_whose_worker_is_dead_three_times_fails_too(db: Database) -> None:
    run = running(db)
    for expected in (RunStatus.QUEUED, RunStatus.QUEUED, RunStatus.FAILED):
        with write(db) as tx:
            (run,) = runs.take_back_dead(tx, ["w1"], NOW)
        assert run.status is expected
        claimed(db)
    assert run.finished_at == NOW


def test_how_often_a_run_may_be_taken_back_can_be_told(db: Database) -> None:
    herd(db, 2)
    claimed(db, "w1", limit=1)
    claimed(db, "w2", limit=1)
    with write(db) as tx:
        (dead,) = runs.take_back_dead(tx, ["w1"], NOW, limit_take_backs=1)
        (silent,) = runs.take_back(tx, NOW + 2 * LEASE, limit_take_backs=1)
    assert (dead.status, silent.status) == (RunStatus.FAILED, RunStatus.FAILED)


def test_runs_of_dead_workers_need_not_wait_for_their_leases(db: Database) -> None:
    herd(db, 3)
    claimed(db, "dead", limit=1)
    claimed(db, "alive", limit=1)
    with write(db) as tx:
        taken = runs.take_back_dead(tx, ["dead", "gone"], NOW)
        assert runs.take_back_dead(tx, [], NOW) == []
    assert [(run.user_id, run.status) for run in taken] == [("u000", RunStatus.QUEUED)]


def test_a_stopping_worker_gives_its_runs_back_uncounted(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        assert runs.release(tx, "w1", NOW + MINUTE) == 1
        assert runs.release(tx, "w1", NOW + MINUTE) == 0
    back = now_of(db, run)
    assert (back.status, back.attempts, back.take_backs) == (RunStatus.QUEUED, 0, 0)
    assert (back.worker_id, back.lease_expires_at, back.not_before) == (None, None, NOW + MINUTE)


def test_a_worker_gives_back_what_it_is_told_and_nothing_of_others(db: Database) -> None:
    herd(db, 3)
    mine, (theirs,) = claimed(db, "w1", limit=2), claimed(db, "w2")
    with write(db) as tx:
        assert runs.release(tx, "w1", NOW, [mine[0].id, theirs.id]) == 1
    assert [now_of(db, run).worker_id for run in (*mine, theirs)] == [None, "w1", "w2"]


def test_claiming_reads_the_queue_by_its_index(store_url: str) -> None:
    db = open_database(store_url, create=True)
    with write(db) as tx:
        if db.path is None:
            tx.execute(text("SET LOCAL enable_seqscan = off"))
        for claiming in (CLAIMING, RATIONED):
            plan = plan_of(tx, claiming)
            assert "ix_sync_runs_claim" in plan
            assert "connections USING INDEX" in plan or "pk_connections on connections" in plan
            assert "sync_runs USING INTEGER PRIMARY KEY" in plan or "pk_sync_runs on sync_runs" in plan
    close(db)


def plan_of(tx: Transaction, claiming: Prepared) -> str:
    values = {"now": NOW, "lease_end": NOW, "worker": "w", "is_probe": 0, "most": 9, "most_full": 9}
    explaining = Prepared(claiming._statement)._in_words_for(tx)
    explaining._text = ("EXPLAIN " if tx.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN ") + explaining._text
    return " ".join(str(row) for row in explaining.execute(tx, values).fetchall())


def test_a_lease_is_not_over_before_its_time(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.hold(tx, run, "w1", NOW + timedelta(seconds=59), LEASE)
        assert runs.take_back(tx, NOW + timedelta(seconds=100)) == []


def test_the_longest_lease_that_can_be_configured_is_none_from_before_the_clock_was_set_back(db: Database) -> None:
    connected(db, "alice")
    queued(db, "alice")
    with write(db) as tx:
        runs.claim(tx, worker_id="w1", now=NOW, lease=LONGEST_LEASE, limit=1)
    with write(db) as tx:
        assert runs.take_back(tx, NOW) == []
        if db.path is not None:  # a server's clock is its own
            assert len(runs.take_back(tx, NOW - SECOND)) == 1


def test_full_syncs_are_rationed_and_let_others_pass(db: Database) -> None:
    for number, kind in enumerate((RunKind.FULL,) * 3 + (RunKind.INCREMENTAL,) * 2):
        connected(db, f"u{number}")
        queued(db, f"u{number}", NOW + number * timedelta(seconds=1), kind=kind)
    got = claimed(db, now=NOW + MINUTE, limit=4, full_limit=1)
    assert [run.user_id for run in got] == ["u0", "u3", "u4"]
    with read(db) as tx:
        assert not runs.is_due(tx, NOW + MINUTE, full_too=False)
        assert runs.is_due(tx, NOW + MINUTE)
    assert claimed(db, now=NOW + MINUTE, limit=4, full_limit=0) == []
    assert len(claimed(db, now=NOW + MINUTE, limit=4, full_limit=4)) == 2


def test_a_full_sync_within_the_ration_waits_for_what_is_due_before_it(db: Database) -> None:
    connected(db, "late", "a", "b")
    queued(db, "late", kind=RunKind.FULL, not_before=NOW + 2 * MINUTE)
    queued(db, "a")
    queued(db, "b", not_before=NOW + MINUTE)
    assert [run.user_id for run in claimed(db, now=NOW + 3 * MINUTE, limit=2, full_limit=1)] == ["a", "b"]


def test_rationed_or_not_only_the_runs_that_were_asked_for_are_claimed(db: Database) -> None:
    for number, kind in enumerate((RunKind.FULL,) * 2 + (RunKind.INCREMENTAL,) * 2):
        connected(db, f"u{number}")
        queued(db, f"u{number}", kind=kind)
    assert [run.id for run in claimed(db, run_ids=[2, 4], limit=4, full_limit=1)] == [2, 4]


def test_when_a_run_began_and_was_first_deferred_is_kept_like_every_other_instant(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.put_back(tx, run, "w1", NOW, deferred=True)
        same = text("SELECT started_at = queued_at AND deferred_since = queued_at FROM sync_runs")
        assert tx.execute(same).scalar_one()
