from __future__ import annotations

import pytest

from contacts_sync.model import Email, Phone
from contacts_sync.store import contacts
from contacts_sync.store.engine import Database, read
from tests.store.given import person, stored

PEOPLE = (
    person(1, display_name="Zoë Ångström", organization="Vögel & Söhne", emails=(Email("zoe@example.com"),)),
    person(2, display_name="adam 100%", notes="met in Kyōto", phones=(Phone("0170 / 123 45", "+4917012345"),)),
    person(3, display_name=None, nickname="under_score"),
)


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
