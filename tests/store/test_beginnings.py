from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete

from contacts_sync.errors import LeaseLost
from contacts_sync.model import Bounds, Group, GroupChanges, OwnSchedule, Run, SealedGrant, SyncState
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.beginnings import Beginning, beginning
from contacts_sync.store.engine import Database, Transaction, read, write
from contacts_sync.store.tables import oauth_tokens, sync_states
from tests.store.given import LEASE, MINUTE, NOW, claimed, queued, running

HOSTILE = "'; --\n\"\\ \u2028 \U0001f99c ÄÖ"


def found(db: Database, run: Run) -> Beginning:
    with read(db, autocommit=True) as tx:
        return beginning(tx, run)


def labelled(db: Database, user: str, *names: str) -> None:
    with write(db) as tx:
        groups = tuple(Group(f"contactGroups/{number}", name, "user") for number, name in enumerate(names))
        contacts.apply_groups(tx, user, GroupChanges(inserts=groups), NOW)


def test_a_sync_begins_with_what_each_table_holds_of_its_user(db: Database) -> None:
    run = running(db)
    for user in ("alice", "bob"):
        labelled(db, user, "Friends", HOSTILE)
    with write(db) as tx:
        runs.succeed(tx, run, "w1", NOW, contacts_sync_token="ct", groups_sync_token="gt", fingerprint="f")
    queued(db, "alice")
    (run,) = claimed(db)
    with read(db) as tx:
        state, sealed = connections.sync_state(tx, "alice"), connections.sealed_grant(tx, "alice")
        groups = contacts.known_groups(tx, "alice")
    begun = found(db, run)
    assert (begun.state, begun.sealed) == (state, sealed)
    assert sorted(begun.groups, key=lambda group: group.id) == sorted(groups, key=lambda group: group.id)
    assert [group.name for group in begun.groups] == ["Friends", HOSTILE]


def test_a_user_without_labels_has_none(db: Database) -> None:
    begun = found(db, running(db))
    assert begun == Beginning(
        SyncState("alice"), SealedGrant("alice", "sealed-alice", 1, "sub-alice"), [], at_intervals=False
    )


def test_rows_that_somebody_has_deleted_are_as_empty_as_never_written_ones(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        tx.execute(delete(oauth_tokens))
        tx.execute(delete(sync_states))
    assert found(db, run) == Beginning(SyncState("alice"), None, [], at_intervals=False)


def test_a_sync_knows_from_its_beginning_whether_the_user_is_due_at_intervals(db: Database) -> None:
    run = running(db)
    hourly = OwnSchedule(timezone="UTC", bounds=Bounds(timedelta(hours=1), timedelta(hours=1)))
    with write(db) as tx:
        connections.set_schedule(tx, "alice", hourly, now=NOW)
    assert found(db, run).at_intervals


def cancelled(tx: Transaction, run: Run) -> None:
    runs.cancel(tx, run.user_id, NOW)


def disconnected(tx: Transaction, run: Run) -> None:
    connections.disconnect(tx, run.user_id, NOW)


def taken_back(tx: Transaction, _run: Run) -> None:
    runs.take_back(tx, NOW + 2 * LEASE)


def taken_over(tx: Transaction, run: Run) -> None:
    taken_back(tx, run)
    assert runs.claim(tx, worker_id="w2", now=NOW + 2 * LEASE + MINUTE, lease=LEASE, limit=1) != []


@pytest.mark.parametrize("lose", [cancelled, disconnected, taken_back, taken_over], ids=lambda one: one.__name__)
def test_a_worker_that_lost_its_run_before_it_began_asks_google_nothing(
    db: Database, lose: Callable[[Transaction, Run], None]
) -> None:
    run = running(db)
    with write(db) as tx:
        lose(tx, run)
    with pytest.raises(LeaseLost, match="run 1 of user 'alice'"):
        found(db, run)
