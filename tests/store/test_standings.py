from __future__ import annotations

from contacts_sync.store import runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.standings import standings
from tests.store.given import NOW, connected, person, queued, running, stored


def test_everybody_stands_as_the_store_says(db: Database) -> None:
    failed = running(db, "bob")
    with write(db) as tx:
        runs.fail(tx, failed, "w1", NOW, error_type="E", message="it broke", traceback=None)
    waiting = queued(db, "bob")
    connected(db, "alice")
    stored(db, "alice", person(1), person(2))
    with read(db) as tx:
        alice, bob = standings(tx)
    assert (alice.connection.user_id, alice.contacts, alice.active, alice.failed) == ("alice", 2, None, None)
    assert (bob.contacts, bob.active, bob.state.last_error) == (0, waiting, "it broke")
    assert bob.failed is not None
    assert bob.failed.id == failed.id


def test_one_user_stands_as_among_everybody(db: Database) -> None:
    connected(db, "alice", "bob")
    stored(db, "bob", person(1))
    with read(db) as tx:
        assert standings(tx, "bob") == [one for one in standings(tx) if one.connection.user_id == "bob"]
        assert standings(tx, "carol") == []
