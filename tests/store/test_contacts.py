from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_sync.model import (
    Changes,
    ContactUpdate,
    Email,
    Group,
    GroupChanges,
    KnownContact,
    KnownGroup,
    Phone,
)
from contacts_sync.store import connections, contacts
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.inside import rows
from tests.store.given import MINUTE, NOW, person, stored

FRIENDS, FAMILY = Group("contactGroups/1", "Friends", "user"), Group("contactGroups/2", "Family", "user")


def labelled(db: Database, *groups: Group) -> dict[str, int]:
    with write(db) as tx:
        contacts.apply_groups(tx, "alice", GroupChanges(inserts=groups), NOW)
        return {group.resource_name: group.id for group in contacts.known_groups(tx, "alice")}


def apply(db: Database, **changes: Any) -> None:
    with write(db) as tx:
        contacts.apply(tx, "alice", contacts.ready(Changes(**changes)), NOW + MINUTE)


def names(db: Database) -> dict[str, int]:
    with read(db) as tx:
        return contacts.known_names(tx, "alice")


def shown(db: Database, contact_id: int) -> contacts.ContactRow:
    with read(db) as tx:
        row = contacts.show(tx, contact_id)
    assert row is not None
    return row


def test_a_contact_is_kept_with_everything(db: Database) -> None:
    labelled(db, FRIENDS)
    anna = person(
        1,
        nickname="Änn",
        birthday="--02-29",
        emails=(Email("a@example.com", "home", is_primary=True), Email("b@example.com")),
        phones=(Phone("0170 1", "+491701", "mobile"), Phone("0170 2")),
        memberships=frozenset({FRIENDS.resource_name, "contactGroups/unknown"}),
    )
    row = shown(db, stored(db, "alice", anna)["people/c1"])
    assert (row.user_id, row.resource_name, row.source_id, row.etag) == ("alice", "people/c1", "s1", "e1")
    assert (row.nickname, row.birthday, row.synced_at) == ("Änn", "--02-29", NOW)
    assert (row.emails, row.phones, row.groups) == (anna.emails, anna.phones, ("Friends",))


@pytest.mark.parametrize("text", ['{"a": "ü😀"}', '{"a": [1, 2.50, null]}', "{}"])
def test_a_payload_comes_back_as_the_same_json(db: Database, text: str) -> None:
    ids = stored(db, "alice", person(1, payload=text))
    with read(db) as tx:
        (payload,) = contacts.payloads(tx, ids.values()).values()
    assert json.loads(payload) == json.loads(text)


def test_a_contact_is_known_by_name_or_source_with_its_labels(db: Database) -> None:
    labelled(db, FRIENDS, FAMILY)
    both = frozenset({FRIENDS.resource_name, FAMILY.resource_name})
    ids = stored(db, "alice", person(1, memberships=both), person(2), person(3))
    stored(db, "bob", person(1))
    with read(db) as tx:
        known = contacts.known(tx, "alice", {"people/c1", "people/c9"}, {"s1", "s3"})
        assert contacts.known(tx, "alice", [], []) == []
    assert sorted(known, key=lambda row: row.id) == [
        KnownContact(ids["people/c1"], "people/c1", "s1", "e1", both),
        KnownContact(ids["people/c3"], "people/c3", "s3", "e3"),
    ]


def test_an_update_replaces_everything_but_the_id(db: Database) -> None:
    ids = stored(db, "alice", person(1, emails=(Email("old@x"), Email("old2@x")), phones=(Phone("1"),)))
    fresh = person(1, etag="new", display_name="New", emails=(Email("new@x"),))
    apply(db, updates=(ContactUpdate(ids["people/c1"], fresh),))
    row = shown(db, ids["people/c1"])
    assert (row.etag, row.display_name, row.synced_at) == ("new", "New", NOW + MINUTE)
    assert (row.emails, row.phones) == ((Email("new@x"),), ())


@pytest.mark.parametrize("left_out", ["moves", "lists", "words"])
def test_an_update_leaves_what_it_leaves_out(db: Database, left_out: str) -> None:
    old = person(1, notes="old", emails=(Email("old@x"),), phones=(Phone("100"),))
    new = person(9, notes="new", emails=(Email("new@x"),), phones=(Phone("900"),))
    id_ = stored(db, "alice", old)["people/c1"]
    apply(db, updates=(ContactUpdate(id_, new, **{left_out: False}),))
    row = shown(db, id_)
    assert (row.etag, row.payload, row.notes) == (new.etag, new.payload, "new")
    [words] = rows(db, "SELECT search_text FROM contacts")
    parts: dict[str, list[Any]] = {
        "moves": [(row.resource_name, row.source_id), ("people/c1", "s1"), ("people/c9", "s9")],
        "lists": [(row.emails, row.phones), (old.emails, old.phones), (new.emails, new.phones)],
        "words": ["old" in words[0], True, False],
    }
    assert {name for name, (found, before, _) in parts.items() if found == before} == {left_out}
    assert {name for name, (found, _, after) in parts.items() if found == after} == parts.keys() - {left_out}


def test_memberships_are_replaced_as_sets(db: Database) -> None:
    labelled(db, FRIENDS, FAMILY)
    ids = stored(db, "alice", person(1, memberships=frozenset({FRIENDS.resource_name})), person(2))
    first, second = ids["people/c1"], ids["people/c2"]
    apply(db, members={first: frozenset({FAMILY.resource_name, "nowhere"}), second: frozenset()})
    assert (shown(db, first).groups, shown(db, second).groups) == (("Family",), ())


def test_an_update_alone_leaves_memberships_as_they_are(db: Database) -> None:
    labelled(db, FRIENDS)
    ids = stored(db, "alice", person(1, memberships=frozenset({FRIENDS.resource_name})))
    apply(db, updates=(ContactUpdate(ids["people/c1"], person(1, etag="new")),))
    assert shown(db, ids["people/c1"]).groups == ("Friends",)


def test_two_contacts_can_swap_their_resource_names(db: Database) -> None:
    ids = stored(db, "alice", person(1), person(2))
    one, two = ids["people/c1"], ids["people/c2"]
    apply(db, updates=(ContactUpdate(one, person(2)), ContactUpdate(two, person(1))))
    assert names(db) == {"people/c1": two, "people/c2": one}


def test_a_new_contact_can_take_the_name_that_another_gives_up(db: Database) -> None:
    one = stored(db, "alice", person(1))["people/c1"]
    apply(db, inserts=(person(1, source_id="new"),), updates=(ContactUpdate(one, person(9)),))
    assert names(db)["people/c9"] == one
    assert names(db)["people/c1"] != one


@settings(max_examples=25)
@given(st.permutations(range(7)), st.sets(st.integers(0, 6)))
def test_any_change_of_names_keeps_every_contact(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], gone: set[int]
) -> None:
    db = open_database(f"sqlite:///{tmp_path_factory.mktemp('names')}/store.db", create=True)
    try:
        ids = stored(db, "alice", *(person(number) for number in range(7)))
        moves = [
            ContactUpdate(ids[f"people/c{number}"], person(order[number])) for number in range(7) if number not in gone
        ]
        with write(db) as tx:
            contacts.remove(tx, "alice", [ids[f"people/c{number}"] for number in gone])
            contacts.apply(tx, "alice", contacts.ready(Changes(updates=tuple(moves))), NOW)
        assert names(db) == {move.person.resource_name: move.id for move in moves}
    finally:
        close(db)


def test_a_page_of_a_thousand_is_taken_in_and_out(db: Database) -> None:
    labelled(db, FRIENDS)
    people = [
        person(
            number,
            emails=(Email(f"{number}@x"),),
            phones=(Phone("1"),),
            memberships=frozenset({FRIENDS.resource_name}),
        )
        for number in range(1_000)
    ]
    ids = stored(db, "alice", *people)
    with read(db) as tx:
        assert len(contacts.known(tx, "alice", ids, {f"s{number}" for number in range(1_000)})) == 1_000
        assert len(contacts.payloads(tx, ids.values())) == 1_000
    apply(db, updates=tuple(ContactUpdate(ids[one.resource_name], one) for one in people))
    assert {shown(db, ids[f"people/c{number}"]).display_name for number in (0, 999)} == {
        "Person 0",
        "Person 999",
    }
    with write(db) as tx:
        assert contacts.remove(tx, "alice", ids.values()) == 1_000
        assert contacts.count(tx, "alice") == 0
        assert tx.exec_driver_sql("SELECT count(*) FROM contact_emails").scalar() == 0
        assert tx.exec_driver_sql("SELECT count(*) FROM contact_group_members").scalar() == 0


def test_only_the_users_own_contacts_are_removed_and_counted(db: Database) -> None:
    mine, theirs = stored(db, "alice", person(1))["people/c1"], stored(db, "bob", person(1))["people/c1"]
    with write(db) as tx:
        assert contacts.remove(tx, "alice", [mine, theirs, 999]) == 1
        assert (contacts.count(tx, "alice"), contacts.count(tx, "bob")) == (0, 1)
        assert connections.contact_counts(tx) == {"bob": 1}


def test_labels_are_renamed_added_and_removed_with_their_memberships(db: Database) -> None:
    ids = labelled(db, FRIENDS, FAMILY)
    members = frozenset(ids)
    one = stored(db, "alice", person(1, memberships=members))["people/c1"]
    renamed = Group(FRIENDS.resource_name, "Best friends", "user")
    starred = Group("contactGroups/starred", "starred", "system")
    changes = GroupChanges(
        inserts=(starred,),
        updates=((ids[FRIENDS.resource_name], renamed),),
        removals=(ids[FAMILY.resource_name],),
    )
    with write(db) as tx:
        contacts.apply_groups(tx, "alice", changes, NOW)
        known = {group.name: group for group in contacts.known_groups(tx, "alice")}
    assert set(known) == {"Best friends", "starred"}
    assert known["Best friends"] == KnownGroup(
        ids[FRIENDS.resource_name], FRIENDS.resource_name, "Best friends", "user"
    )
    assert shown(db, one).groups == ("Best friends",)


def test_groups_of_others_cannot_be_touched(db: Database) -> None:
    ids = labelled(db, FRIENDS)
    changes = GroupChanges(updates=((ids[FRIENDS.resource_name], FAMILY),), removals=tuple(ids.values()))
    with write(db) as tx:
        contacts.apply_groups(tx, "bob", changes, NOW)
        assert [group.name for group in contacts.known_groups(tx, "alice")] == ["Friends"]
