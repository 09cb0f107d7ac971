"""`contacts-sync contacts`."""

from __future__ import annotations

import pytest

from contacts_sync.model import Email, Phone
from contacts_sync.store import connections
from contacts_sync.store.engine import write
from tests.cli.given import connected, now, people, store
from tests.operating import Operator

COLUMNS = {
    *("id", "user_id", "resource_name", "etag", "display_name", "given_name", "family_name", "nickname"),
    *("organization", "job_title", "birthday", "notes", "photo_url", "payload", "synced_at", "emails", "phones"),
}


@pytest.fixture
def alice(operator: Operator) -> Operator:
    ada = {"display_name": "Ada", "emails": (Email("ada@x.example", "work", is_primary=True),)}
    bob = {"display_name": "Bob", "phones": (Phone("0666 12", "+3466612"),), "payload": '{"a": ["b"]}'}
    with store(operator) as db:
        connected(db, "alice", "bob")
        people(db, "alice", bob, ada)
        people(db, "bob", {"display_name": "Adam"})
    return operator


def test_a_users_contacts_are_listed_by_name_with_all_their_columns(alice: Operator) -> None:
    ada, bob = alice.json("contacts", "list", "alice")["contacts"]
    assert ada.keys() >= COLUMNS
    assert ada["emails"] == [{"value": "ada@x.example", "type": "work", "is_primary": True}]
    assert bob["phones"] == [{"value": "0666 12", "canonical": "+3466612", "type": None, "is_primary": False}]
    assert bob["payload"] == {"a": ["b"]}


def test_a_list_can_be_limited(alice: Operator) -> None:
    assert len(alice.json("contacts", "list", "alice", "--limit", "1")["contacts"]) == 1
    assert len(alice.json("contacts", "list", "alice", "--limit", "0")["contacts"]) == 2
    alice.run("contacts", "list", "alice", "--limit", "-1", code=2)
    alice.run("contacts", "list", "alice", "--limit", str(2**70), code=2)


def test_contacts_of_everybody_or_of_one_user_are_searched(alice: Operator) -> None:
    assert {one["display_name"] for one in alice.json("contacts", "search", "ADA")["contacts"]} == {"Ada", "Adam"}
    assert len(alice.json("contacts", "search", "ada", "--user", "bob")["contacts"]) == 1
    assert alice.json("contacts", "search", "%")["contacts"] == []
    assert alice.json("contacts", "search", b"\xff".decode("utf-8", "surrogateescape"))["contacts"] == []


def test_one_contact_is_shown_whole(alice: Operator) -> None:
    (ada,) = alice.json("contacts", "search", "ada@x")["contacts"]
    assert alice.json("contacts", "show", str(ada["id"])) == ada
    told = alice.run("contacts", "show", str(ada["id"])).stdout
    assert "emails         ada@x.example" in told


def test_contacts_stay_readable_after_a_disconnect(alice: Operator) -> None:
    with store(alice) as db, write(db) as tx:
        connections.disconnect(tx, "alice", now())
    assert "Ada" in alice.run("contacts", "list", "alice").stdout
    alice.run("contacts", "list", "nobody", code=3)
    alice.run("contacts", "search", "ada", "--user", "nobody", code=3)
