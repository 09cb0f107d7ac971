from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from contacts_sync.errors import UnknownItem
from contacts_sync.model import Counters, End, Run, RunStatus, Trigger
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.run_rows import COUNTED
from contacts_sync.store.tables import sync_runs
from tests.store.given import NOW, claimed, connected, queued, running

DAY = timedelta(days=1)
COLUMNS = list(sync_runs.c.keys())


def test_an_unknown_run_is_named(db: Database) -> None:
    with read(db) as tx:
        assert runs.get(tx, 7) is None
        with pytest.raises(UnknownItem, match="no run 7") as caught:
            runs.require(tx, 7)
    assert caught.value.hint == "contacts-sync runs list"


def test_many_runs_are_found_by_their_ids(db: Database) -> None:
    first, second = queued(db, "alice"), queued(db, "bob")
    with read(db) as tx:
        assert runs.get_many(tx, [second.id, 999, first.id]) == [first, second]
        assert runs.get_many(tx, []) == []


def test_the_latest_runs_come_first_and_can_be_narrowed(db: Database) -> None:
    connected(db, "a", "b")
    first, second = queued(db, "a"), queued(db, "b")
    claimed(db, limit=1)
    with read(db) as tx:
        assert [run.id for run in runs.recent(tx)] == [second.id, first.id]
        assert [run.id for run in runs.recent(tx, limit=1)] == [second.id]
        assert [run.id for run in runs.recent(tx, user_id="a")] == [first.id]
        assert [run.id for run in runs.recent(tx, status=RunStatus.RUNNING)] == [first.id]


def test_the_active_run_of_each_user_is_known(db: Database) -> None:
    done, waiting = running(db, "a"), queued(db, "b")
    with write(db) as tx:
        runs.cancel(tx, "a", NOW)
        assert runs.active(tx) == runs.active(tx, "b") == {"b": waiting}
        assert runs.active(tx, "a") == {}
    assert done.id != waiting.id


def test_old_history_is_forgotten_as_configured(db: Database) -> None:
    failed, cancelled = running(db, "a"), queued(db, "b")
    active = queued(db, "c")
    with write(db) as tx:
        runs.park(tx, failed.id, [1, 2])
        runs.fail(tx, failed, "w1", NOW, error_type="E", message="m", traceback=None)
        runs.cancel(tx, "b", NOW)
    with write(db) as tx:
        assert runs.prune(tx, succeeded_before=NOW, failed_before=NOW) == 0
        assert runs.prune(tx, succeeded_before=NOW + DAY, failed_before=None) == 1
        assert [run.id for run in runs.recent(tx)] == [active.id, failed.id]
        assert runs.prune(tx, succeeded_before=None, failed_before=NOW + DAY) == 1
        assert runs.parked(tx, failed.id) == set()
    assert cancelled.id not in {failed.id, active.id}


def test_the_id_of_a_forgotten_run_is_not_used_again(db: Database) -> None:
    run = queued(db, "a")
    with write(db) as tx:
        runs.cancel(tx, "a", NOW)
        runs.prune(tx, succeeded_before=NOW + DAY, failed_before=None)
    assert queued(db, "a").id == run.id + 1


def test_the_last_end_of_each_user_is_known(db: Database) -> None:
    for user in ("a", "b"):
        run = running(db, user)
        with write(db) as tx:
            runs.fail(tx, run, "w1", NOW, error_type="E", message="m", traceback=None)
    queued(db, "a")
    (second,) = claimed(db)
    with write(db) as tx:
        runs.succeed(tx, second, "w1", NOW, contacts_sync_token="t", groups_sync_token=None, fingerprint="f")
    queued(db, "a")
    queued(db, "b")
    with read(db) as tx:
        ends = {user: runs.latest_ended(tx, user) for user in ("a", "b", "c")}
        failed = {user: run.id for user, run in runs.latest_failed(tx).items()}
        assert runs.latest_failed(tx, "a") == {}
        assert runs.latest_failed(tx, "b") == {"b": ends["b"]}
    found = {user: run and (run.id, run.status) for user, run in ends.items()}
    assert found == {"a": (second.id, RunStatus.SUCCEEDED), "b": (2, RunStatus.FAILED), "c": None}
    assert failed == {"b": 2}


def test_a_runs_fields_are_the_columns_in_their_order() -> None:
    names = [name for name in Run.__slots__ if name != "counters"]
    assert [name for name in COLUMNS if name not in Counters.__slots__] == names
    assert tuple(COLUMNS[COUNTED]) == Counters.__slots__


def test_an_approval_is_found_by_what_it_approves(db: Database) -> None:
    approval = queued(db, "a", approves_run_id=7)
    with read(db) as tx:
        assert runs.approval_of(tx, 7) == approval
        assert runs.approval_of(tx, 8) is None


def test_the_newest_ends_come_first_whoevers_they_are(db: Database) -> None:
    runs_of = {user: running(db, user) for user in ("a", "b", "c")}
    queued(db, "d")
    with write(db) as tx:
        runs.fail(tx, runs_of["a"], "w1", NOW + DAY, error_type="E", message="m", traceback=None)
        runs.succeed(tx, runs_of["b"], "w1", NOW, contacts_sync_token=None, groups_sync_token=None, fingerprint="f")
        runs.cancel(tx, "c", NOW)
    newest, older = End("a", "E", NOW + DAY), End("b", None, NOW)
    with read(db) as tx:
        assert runs.latest_ends(tx, 9, NOW + DAY) == [newest, older]
        assert runs.latest_ends(tx, 1, NOW + DAY) == [newest]
        assert runs.latest_ends(tx, 1, NOW) == [older]


def test_rows_that_somebody_edited_to_nonsense_keep_nobody_elses_from_being_read(db: Database) -> None:
    connected(db, "alice", "bob")
    queued(db, "alice")
    queued(db, "bob")
    with write(db) as tx:
        tx.execute(text("UPDATE sync_runs SET trigger = 'whim' WHERE user_id = 'alice'"))
        if db.path is not None:
            tx.execute(text("UPDATE connections SET scheduled_since = 'yesterday' WHERE user_id = 'alice'"))
    assert [run.trigger for run in claimed(db)] == [Trigger.MANUAL, Trigger.MANUAL]
    with read(db) as tx:
        assert [one.user_id for one in connections.every(tx)] == ["alice", "bob"]
