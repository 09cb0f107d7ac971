from __future__ import annotations

import threading

from contacts_sync.model import (
    Account,
    Connection,
    ConnectionStatus,
    Group,
    GroupChanges,
    OwnSchedule,
    RunStatus,
    SealedGrant,
    SyncState,
)
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import Database, read, write
from tests.store.given import MINUTE, NOW, connected, now_of, person, queued, running, stored

ALICE = Account(sub="1", email="alice@example.com")
NOBODY = Connection(
    user_id="alice",
    google_account="alice@example.com",
    google_sub="1",
    status=ConnectionStatus.CONNECTED,
    cron=None,
    timezone=None,
    connected_at=NOW,
    disconnected_at=None,
    reauth_reason=None,
    scheduled_since=NOW,
)


def connect(db: Database, schedule: OwnSchedule | None = None, sealed: str = "sealed") -> None:
    with write(db) as tx:
        connections.connect(tx, user_id="alice", account=ALICE, sealed=sealed, schedule=schedule, now=NOW)


def alice(db: Database) -> Connection:
    with read(db) as tx:
        found = connections.get(tx, "alice")
    assert found is not None
    return found


def version(db: Database) -> int:
    with read(db) as tx:
        return connections.change_version(tx)


def test_a_fresh_connection_uses_the_configured_schedule(db: Database) -> None:
    connect(db)
    assert alice(db) == NOBODY
    with read(db) as tx:
        assert connections.get(tx, "bob") is None
        assert connections.every(tx) == [NOBODY]
        assert connections.every_sync_state(tx) == {"alice": SyncState("alice")}


def test_connecting_again_keeps_the_schedule_unless_a_new_one_is_given(db: Database) -> None:
    connect(db, OwnSchedule("0 3 * * *", "Europe/Berlin"))
    connect(db)
    assert (alice(db).cron, alice(db).timezone) == ("0 3 * * *", "Europe/Berlin")
    connect(db, OwnSchedule("0 4 * * *", None))
    assert (alice(db).cron, alice(db).timezone) == ("0 4 * * *", None)


def test_connecting_again_resets_the_sync_state_and_heals(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        runs.succeed(tx, run, "w1", NOW, contacts_sync_token="t", groups_sync_token="g", fingerprint="f")
        connections.needs_reauth(tx, "alice", "revoked")
    ids = stored(db, "alice", person(1))
    connected(db, "alice", now=NOW + MINUTE)
    assert (alice(db).status, alice(db).reauth_reason) == (ConnectionStatus.CONNECTED, None)
    assert alice(db).scheduled_since == NOW + MINUTE
    with read(db) as tx:
        assert connections.sync_state(tx, "alice") == SyncState("alice")
        (known,) = contacts.known(tx, "alice", ["people/c1"], [])
    assert (known.id, known.etag) == (ids["people/c1"], None)


def test_a_new_schedule_counts_from_now(db: Database) -> None:
    connect(db)
    with write(db) as tx:
        assert connections.set_schedule(tx, "alice", OwnSchedule("0 5 * * *", "UTC"), now=NOW + MINUTE)
        assert not connections.set_schedule(tx, "bob", OwnSchedule(), now=NOW)
    assert (alice(db).cron, alice(db).timezone) == ("0 5 * * *", "UTC")
    assert alice(db).scheduled_since == NOW + MINUTE


def test_a_dead_grant_is_noted_only_while_connected(db: Database) -> None:
    connect(db)
    with write(db) as tx:
        connections.needs_reauth(tx, "alice", "revoked")
    assert (alice(db).status, alice(db).reauth_reason) == (ConnectionStatus.NEEDS_REAUTH, "revoked")
    with write(db) as tx:
        connections.disconnect(tx, "alice", NOW)
        connections.needs_reauth(tx, "alice", "revoked")
    assert alice(db).status is ConnectionStatus.DISCONNECTED


def test_every_change_of_connections_is_counted_and_nothing_else(db: Database) -> None:
    seen = [version(db)]
    connect(db)
    seen.append(version(db))
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule(), now=NOW)
    seen.append(version(db))
    with write(db) as tx:
        connections.needs_reauth(tx, "alice", "x")
    seen.append(version(db))
    with write(db) as tx:
        connections.disconnect(tx, "alice", NOW)
    seen.append(version(db))
    assert seen == sorted(set(seen))
    queued(db, "bob")
    assert version(db) == seen[-1]


def test_a_disconnect_leaves_contacts_with_their_ids_and_nothing_else(db: Database) -> None:
    run = running(db)
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule("0 5 * * *", "UTC"), now=NOW)
        contacts.apply_groups(tx, "alice", GroupChanges(inserts=(Group("g/1", "G", "user"),)), NOW)
    ids = stored(db, "alice", person(1))
    with write(db) as tx:
        connections.disconnect(tx, "alice", NOW + MINUTE)
    after = alice(db)
    assert (after.status, after.disconnected_at) == (ConnectionStatus.DISCONNECTED, NOW + MINUTE)
    assert (after.cron, after.timezone) == (None, None)
    assert now_of(db, run).status is RunStatus.CANCELLED
    with read(db) as tx:
        assert connections.sealed_grant(tx, "alice") is None
        assert connections.sync_state(tx, "alice") == SyncState("alice")
        row = contacts.show(tx, ids["people/c1"])
    assert row is not None
    assert (row.id, row.etag, row.synced_at) == (ids["people/c1"], None, None)


def test_a_purge_leaves_nothing_of_the_user_and_all_of_others(db: Database) -> None:
    running(db, "alice")
    running(db, "bob")
    stored(db, "alice", person(1))
    stored(db, "bob", person(1))
    with write(db) as tx:
        connections.purge(tx, "alice")
    with read(db) as tx:
        assert [connection.user_id for connection in connections.every(tx)] == ["bob"]
        assert [run.user_id for run in runs.recent(tx)] == ["bob"]
        assert connections.contact_counts(tx) == {"bob": 1}
        assert set(connections.every_sync_state(tx)) == {"bob"}
        assert connections.sealed_grant(tx, "alice") is None


def test_the_id_of_a_removed_contact_is_not_used_again(db: Database) -> None:
    first = stored(db, "alice", person(1))["people/c1"]
    with write(db) as tx:
        connections.wipe_contacts(tx, "alice")
    assert stored(db, "alice", person(1))["people/c1"] > first


def test_a_grant_is_replaced_only_if_it_is_the_one_that_was_read(db: Database) -> None:
    connect(db)
    with write(db) as tx:
        old = connections.sealed_grant(tx, "alice")
        assert old == SealedGrant("alice", "sealed", 1, "1")
        assert connections.replace_grant(tx, old, "fresh")
        assert not connections.replace_grant(tx, old, "late")
        assert connections.sealed_grant(tx, "alice") == SealedGrant("alice", "fresh", 2, "1")


def test_a_reconnect_wins_over_a_refresh_that_comes_late(db: Database) -> None:
    connect(db)
    with write(db) as tx:
        old = connections.sealed_grant(tx, "alice")
        connections.disconnect(tx, "alice", NOW)
    connect(db, sealed="reconnected")
    assert old is not None
    with write(db) as tx:
        assert not connections.replace_grant(tx, old, "late")


def test_of_many_who_replace_a_grant_at_once_one_succeeds(db: Database) -> None:
    connect(db)
    with read(db) as tx:
        old = connections.sealed_grant(tx, "alice")
    assert old is not None
    answers: list[bool] = []

    def replace(sealed: str) -> None:
        with write(db) as tx:
            answers.append(connections.replace_grant(tx, old, sealed))

    threads = [threading.Thread(target=replace, args=(f"fresh-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 5 + [True]


def test_an_account_is_shared_while_somebody_else_is_linked_to_it(db: Database) -> None:
    with write(db) as tx:
        for user in ("alice", "bob"):
            connections.connect(tx, user_id=user, account=ALICE, sealed="s", schedule=None, now=NOW)
        assert connections.account_is_shared(tx, "alice", "1")
        assert not connections.account_is_shared(tx, "alice", "2")
        connections.needs_reauth(tx, "bob", "revoked")
        assert connections.account_is_shared(tx, "alice", "1")
        connections.disconnect(tx, "bob", NOW)
        assert not connections.account_is_shared(tx, "alice", "1")
        assert connections.account_is_shared(tx, "carol", "1")


def test_all_grants_can_be_read_at_once(db: Database) -> None:
    connected(db, "bob", "alice")
    with write(db) as tx:
        assert [grant.user_id for grant in connections.every_grant(tx)] == ["alice", "bob"]
        connections.disconnect(tx, "bob", NOW)
        assert list(connections.every_grant(tx)) == [SealedGrant("alice", "sealed-alice", 1, "sub-alice")]
