"""`contacts-sync runs`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contacts_sync.model import Run, RunKind, RunStatus
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import Database, write
from tests.cli.given import connected, failed, joined, now, queued, reauth, store, without_tokens
from tests.operating import Operator

COLUMNS = {
    *("id", "user_id", "kind", "trigger", "status", "slot", "not_before", "attempts", "starts", "queued_at"),
    *("started_at", "finished_at", "contacts_imported", "contacts_updated", "contacts_deleted"),
    *("groups_imported", "groups_updated", "groups_deleted", "error_type", "error_message", "error_traceback"),
}


def parked(db: Database, user: str) -> Run:
    run = failed(db, user, "MassDeletion")
    with write(db) as tx:
        runs.park(tx, run.id, [])
    return run


def test_runs_are_listed_newest_first_with_all_their_columns(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice", "bob")
        first, second = failed(db, "alice"), failed(db, "bob")
        third = queued(db, "alice")
    assert [run["id"] for run in operator.runs()] == [third.id, second.id, first.id]
    assert operator.runs()[1].keys() >= COLUMNS
    assert [run["id"] for run in operator.runs("--user", "alice", "--status", "failed")] == [first.id]
    assert len(operator.json("runs", "list", "--limit", "1")["runs"]) == 1
    operator.run("runs", "list", "--status", "lost", code=2)
    operator.run("runs", "list", "--user", "nobody", code=3)


def test_one_run_is_shown_with_its_traceback(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        run = failed(db, "alice")
        with write(db) as tx:
            mine = runs.claim(tx, worker_id="w", now=now(), lease=timedelta(1), limit=1)
            assert mine == []
    told = operator.json("runs", "show", str(run.id))
    assert (told["error_type"], told["error_message"]) == ("PassingTrouble", "it broke")
    assert told["error_traceback"] == "Traceback\n  line 1"
    assert operator.run("runs", "show", str(run.id)).stdout.endswith("\nTraceback\n  line 1\n")


def test_a_failed_run_is_retried_as_what_it_was(operator: Operator) -> None:
    joined(operator, "alice", people=1)
    operator.run("run-now", "alice")
    with store(operator) as db:
        runs_of = [failed(db, "alice"), failed(db, "alice", kind=RunKind.FULL), failed(db, "alice")]
    ids = [str(run.id) for run in runs_of]
    (run,) = operator.json("runs", "retry", ids[0])["runs"]
    assert (run["trigger"], run["kind"], run["status"]) == ("retry", "incremental", "succeeded")
    (run,) = operator.json("runs", "retry", *ids)["runs"]
    assert (run["trigger"], run["kind"]) == ("retry", "full")


def test_a_run_that_succeeded_has_nothing_to_retry(operator: Operator) -> None:
    joined(operator, "alice")
    operator.run("run-now", "alice")
    assert "contacts-sync run-now alice" in operator.run("runs", "retry", "1", code=3).stderr


def test_a_retry_needs_a_user_who_can_be_synced(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "needy", "gone")
        ids = [str(failed(db, user).id) for user in ("needy", "gone")]
        reauth(db, "needy")
        with write(db) as tx:
            connections.disconnect(tx, "gone", now())
    operator.run("runs", "retry", ids[0], code=4)
    operator.run("runs", "retry", ids[1], code=3)


def test_a_parked_run_is_approved_once(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        run = parked(db, "alice")
        without_tokens(db)
    assert f"runs approve {run.id}" in str(operator.user("alice")["note"])
    approval = operator.json("runs", "approve", str(run.id))
    assert (approval["kind"], approval["trigger"], approval["status"]) == ("full", "manual", "queued")
    assert approval["approves_run_id"] == run.id
    operator.run("runs", "approve", str(run.id), code=3)


@pytest.mark.parametrize("error", ["PassingTrouble", "GrantRejected"])
def test_what_is_not_parked_cannot_be_approved(operator: Operator, error: str) -> None:
    with store(operator) as db:
        connected(db, "alice")
        run = failed(db, "alice", error)
    operator.run("runs", "approve", str(run.id), code=3)


def test_a_parked_run_is_settled_by_a_later_success(operator: Operator) -> None:
    joined(operator, "alice")
    operator.run("run-now", "alice")
    with store(operator) as db:
        run = parked(db, "alice")
    operator.run("run-now", "alice")
    operator.run("runs", "approve", str(run.id), code=3)
    assert operator.user("alice")["note"] is None


def test_an_approval_needs_a_grant(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        run = parked(db, "alice")
        reauth(db, "alice")
    operator.run("runs", "approve", str(run.id), code=4)


def test_old_runs_are_forgotten(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        failed(db, "alice")
    assert operator.json("runs", "prune") == {"pruned": 0}
    assert operator.json("runs", "prune", "--keep", "1h") == {"pruned": 0}
    assert operator.json("runs", "prune", "--keep", "1ms") == {"pruned": 1}
    operator.run("runs", "prune", "--keep", "forever", code=2)
    assert [run["status"] for run in operator.runs()] == []


def test_every_status_can_be_asked_for(operator: Operator) -> None:
    for status in RunStatus:
        assert operator.runs("--status", status) == []
