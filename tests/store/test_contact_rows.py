from __future__ import annotations

import pytest

from contacts_sync.model import Changes, ContactUpdate, Email, Group, GroupChanges, Phone
from contacts_sync.store import contact_rows, contacts
from contacts_sync.store.engine import Database, read, write
from tests.store.given import NOW, person, stored

PEOPLE = (
    person(1, display_name="Zoë Ångström", organization="Vögel & Söhne", emails=(Email("zoe@example.com"),)),
    person(2, display_name="adam 100%", notes="met in Kyōto", phones=(Phone("0170 / 123 45", "+4917012345"),)),
    person(3, display_name=None, nickname="under_score"),
)


def labels(db: Database, user: str, *names: str) -> None:
    groups = tuple(Group(f"contactGroups/{number}", name, "user") for number, name in enumerate(names))
    with write(db) as tx:
        contacts.apply_groups(tx, user, GroupChanges(inserts=groups), NOW)


def found(db: Database, text: str, **narrow: str) -> list[str]:
    with read(db) as tx:
        rows = contacts.search(tx, text, user_id=narrow.get("user"))
    return sorted(f"{row.user_id} {row.resource_name[-1]}" for row in rows)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("zoË", "1"),
        ("ÅNGSTRÖM", "1"),
        ("söhne", "1"),
        ("ZOE@EXAMPLE", "1"),
        ("kyō", "2"),
        ("0170 / 123", "2"),
        ("+49 170 123-45", "2"),
        ("100%", "2"),
        ("r_s", "3"),
        ("%", "2"),
        ("_", "3"),
        ("nobody", ""),
    ],
)
def test_a_search_finds_text_wherever_a_person_would_look(db: Database, text: str, numbers: str) -> None:
    stored(db, "alice", *PEOPLE)
    assert found(db, text) == [f"alice {number}" for number in numbers]


@pytest.mark.parametrize(
    "number", ["0170-12345", "(0170) 12 345", "+49 170 12345", "0049 170 12345", "12345", "170 123 45"]
)
def test_a_phone_number_is_found_however_it_is_written(db: Database, number: str) -> None:
    stored(db, "alice", *PEOPLE)
    assert found(db, number) == ["alice 2"]


def test_words_are_found_in_any_order_by_their_beginnings(db: Database) -> None:
    stored(db, "alice", *PEOPLE)
    assert found(db, "vogel zo") == found(db, "example zoe") == ["alice 1"]
    assert found(db, "zoe adam") == []


def test_a_label_finds_those_who_wear_it(db: Database) -> None:
    labels(db, "alice", "Team Blau")
    stored(db, "alice", person(1, memberships=frozenset({"contactGroups/0"})), person(2))
    assert found(db, "team blau") == ["alice 1"]


def test_who_is_called_like_a_label_and_who_wears_it_are_found_together(db: Database) -> None:
    labels(db, "alice", "Blau")
    wearer = person(1, display_name="Zoe", memberships=frozenset({"contactGroups/0"}))
    stored(db, "alice", wearer, person(2, display_name="Anna Blau"))
    with read(db) as tx:
        assert [row.display_name for row in contacts.search(tx, "blau")] == ["Anna Blau", "Zoe"]
        assert [row.display_name for row in contacts.search(tx, "blau", limit=1)] == ["Anna Blau"]


def test_what_has_changed_or_gone_is_no_longer_found_by_its_old_words(db: Database) -> None:
    ids = stored(db, "alice", *PEOPLE)
    with write(db) as tx:
        renamed = person(1, display_name="Grace")
        contacts.apply(tx, "alice", contacts.ready(Changes(updates=(ContactUpdate(ids["people/c1"], renamed),))), NOW)
        contacts.remove(tx, "alice", [ids["people/c2"]])
    assert [found(db, text) for text in ("zoe", "adam", "grace")] == [[], [], ["alice 1"]]


@pytest.mark.parametrize("text", ['"', "'", "*", "a* OR b", "NOT", "x:*", "(", "\\", "& |", ""])
def test_nothing_a_person_types_is_taken_for_a_query(db: Database, text: str) -> None:
    stored(db, "alice", person(1, display_name="Ada"))
    found(db, text)


def test_inside_words_is_looked_only_where_few_contacts_are(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(db, "alice", *PEOPLE)
    stored(db, "bob", *PEOPLE)
    monkeypatch.setattr(contact_rows, "MOST_SCANNED", 5)
    assert found(db, "strom") == []
    assert found(db, "ström", user="bob") == ["bob 1"]


def test_a_search_spans_all_users_unless_narrowed(db: Database) -> None:
    stored(db, "alice", *PEOPLE)
    stored(db, "bob", *PEOPLE)
    assert found(db, "adam") == ["alice 2", "bob 2"]
    assert found(db, "adam", user="bob") == ["bob 2"]


def test_a_list_is_sorted_by_name_and_can_be_cut(db: Database) -> None:
    stored(db, "alice", *PEOPLE)
    with read(db) as tx:
        rows = contacts.listing(tx, "alice")
        assert [row.display_name for row in rows] == [None, "adam 100%", "Zoë Ångström"]
        assert contacts.listing(tx, "alice", limit=2) == rows[:2]
        assert contacts.listing(tx, "bob") == []
        assert contacts.show(tx, 999) is None
