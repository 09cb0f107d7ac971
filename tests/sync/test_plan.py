"""What came against what we know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.model import ContactUpdate, Group, KnownContact, KnownGroup, Page, Person
from contacts_sync.sync import plan


def person(name: str, *, etag: str | None = "e1", source: str | None = None, **fields: object) -> Person:
    payload = json.dumps({"resourceName": name, "names": [{"givenName": name}]})
    return Person(name, source or f"id-{name}", etag, str(fields.pop("payload", payload)), **fields)  # type: ignore[arg-type]  # keyword fields of a test


def row(id_: int, name: str, *, etag: str | None = "e1", source: str | None = None, labels: str = "") -> KnownContact:
    return KnownContact(id_, name, source or f"id-{name}", etag, frozenset(labels.split()))


def planned(
    known: list[KnownContact], people: list[Person], *, by_source: bool = True, **more: object
) -> plan.PagePlan:
    arguments = {"labels": frozenset({"a", "b"}), "owners": {}, "stored": {}, **more}
    return plan.plan_page(known, people, by_source=by_source, **arguments)  # type: ignore[arg-type]  # defaults above


def test_an_unknown_person_is_inserted() -> None:
    assert planned([], [person("p1")]).changes.inserts == (person("p1"),)


def test_an_unchanged_etag_is_not_written() -> None:
    changes = planned([row(1, "p1")], [person("p1")]).changes
    assert (changes.inserts, changes.updates, changes.members) == ((), (), {})


def test_a_changed_etag_is_written_and_counted() -> None:
    changes = planned([row(1, "p1")], [person("p1", etag="e2")]).changes
    assert changes.updates == (ContactUpdate(1, person("p1", etag="e2"), moves=False),)
    assert changes.counters.contacts_updated == 1


def test_a_previous_resource_name_moves_the_row_and_counts_as_an_update() -> None:
    moved = person("p2", source="other", previous_resource_names=("p1",))
    page = planned([row(1, "p1")], [moved], by_source=False)
    assert page.changes.updates == (ContactUpdate(1, moved),)
    assert page.owners == {1: "p2"}


def test_a_merge_into_a_known_contact_leaves_the_other_row_behind() -> None:
    survivor = person("p2", etag="e2", previous_resource_names=("p1",))
    page = planned([row(1, "p1"), row(2, "p2")], [survivor])
    assert [update.id for update in page.changes.updates] == [2]
    assert page.superseded == {"p1"}


def test_a_previous_name_that_is_alive_is_not_taken_away() -> None:
    page = planned([row(1, "p1")], [person("p1"), person("p2", previous_resource_names=("p1",))])
    assert [inserted.resource_name for inserted in page.changes.inserts] == ["p2"]
    assert page.superseded == frozenset()


def test_a_row_shown_alive_on_an_earlier_page_is_not_taken_away() -> None:
    moved = person("p2", previous_resource_names=("p1",))
    page = planned([row(1, "p1")], [moved], owners={1: "p1"})
    assert (page.changes.inserts, page.superseded) == ((moved,), frozenset())


def test_a_full_listing_finds_a_renamed_contact_by_its_source() -> None:
    page = planned([row(1, "p1", source="s")], [person("p9", source="s")])
    assert [update.id for update in page.changes.updates] == [1]


def test_an_incremental_listing_does_not_look_at_sources() -> None:
    page = planned([row(1, "p1", source="s")], [person("p9", source="s")], by_source=False)
    assert [inserted.resource_name for inserted in page.changes.inserts] == ["p9"]


def test_after_a_disconnect_an_equal_contact_is_refreshed_but_not_counted() -> None:
    fresh = person("p1")
    page = planned([row(1, "p1", etag=None)], [fresh], stored={1: fresh.payload})
    assert page.changes.updates == (update(fresh, counts=False),)
    assert page.changes.counters.contacts_updated == 0


def test_a_contact_in_doubt_that_is_the_same_is_not_written() -> None:
    fresh = person("p1")
    assert planned([row(1, "p1")], [fresh], stored={1: fresh.payload}).changes.updates == ()


def test_after_a_disconnect_a_changed_contact_counts() -> None:
    page = planned([row(1, "p1", etag=None)], [person("p1")], stored={1: '{"names": []}'})
    assert page.changes.counters.contacts_updated == 1


def test_doubt_falls_on_rows_without_etag_and_on_all_after_a_new_request_shape() -> None:
    known = [row(1, "p1"), row(2, "p2", etag=None), row(3, "p3"), row(4, "not shown")]
    people = [person("p1"), person("p2"), person("p3", etag=None)]
    assert plan.doubtful(known, people, trust_etags=True) == [2, 3]
    assert plan.doubtful(known, people, trust_etags=False) == [1, 2, 3, 4]


def test_another_etag_alone_is_written_but_counts_as_no_change() -> None:
    same = person("p1", etag="e2")
    assert plan.doubtful([row(1, "p1")], [same], trust_etags=True) == [1]
    page = planned([row(1, "p1")], [same], stored={1: person("p1").payload})
    assert page.changes.updates == (update(same, counts=False),)


def update(person: Person, **written: bool) -> ContactUpdate:
    """Nothing is written of what stays."""
    return ContactUpdate(1, person, **{"moves": False, "lists": False, "words": False} | written)


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("photos", {}),
        ("names", {"words": True}),
        ("biographies", {"words": True}),
        ("emailAddresses", {"words": True, "lists": True}),
        ("phoneNumbers", {"words": True, "lists": True}),
    ],
)
def test_of_a_changed_contact_is_written_what_has_changed(field: str, written: dict[str, bool]) -> None:
    fresh = person("p1", etag="e2", payload=f'{{"{field}": [1], "urls": []}}')
    page = planned([row(1, "p1")], [fresh], stored={1: f'{{"{field}": [2], "urls": [ ]}}'})
    assert page.changes.updates == (update(fresh, **written),)


def test_another_source_is_written() -> None:
    fresh = person("p1", source="s2")
    page = planned([row(1, "p1", source="s1", etag=None)], [fresh], stored={1: fresh.payload})
    assert page.changes.updates == (update(fresh, counts=False, moves=True),)


def test_etags_are_no_content() -> None:
    assert not plan.differing('{"etag": "1", "names": []}', '{"names": [], "etag": "2", "metadata": {}}')
    assert plan.differing('{"names": []}', '{"names": [{}]}') == {"names"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
)


@given(st.dictionaries(st.sampled_from("abcd"), JSON), st.dictionaries(st.sampled_from("abcd"), JSON), st.booleans())
def test_what_differs_is_told_however_it_is_written(old: dict[str, Any], new: dict[str, Any], escaped: bool) -> None:
    stored = json.dumps(old, ensure_ascii=escaped, indent=1, sort_keys=True)
    expected = {name for name in old | new if name not in old or name not in new or old[name] != new[name]}
    assert plan.differing(stored, json.dumps(new, ensure_ascii=False)) == expected


@pytest.mark.parametrize("broken", ["", "{", "[]", "null", '"text"', '{"names": [nonsense]}'])
def test_a_stored_payload_that_somebody_has_broken_differs_in_all(broken: str) -> None:
    assert set(plan.differing(broken, '{"names": []}')) >= plan.SEARCHED


def test_memberships_are_compared_beside_the_etag_and_only_with_known_labels() -> None:
    page = planned([row(1, "p1", labels="a")], [person("p1", memberships=frozenset({"b", "unknown"}))])
    assert page.changes.members == {1: frozenset({"b"})}
    assert page.changes.updates == ()


def test_the_last_word_of_a_page_counts() -> None:
    page = Page((person("p1"), "p1", person("p2"), person("p2", etag="e9"), "p3", person("p3")), None, "t")
    assert [(alive.resource_name, alive.etag) for alive in plan.people_of(page)] == [
        ("p2", "e9"),
        ("p3", "e1"),
    ]


def test_groups_are_inserted_renamed_and_removed() -> None:
    known = [
        KnownGroup(1, "g1", "Old", "user"),
        KnownGroup(2, "g2", "Gone", "user"),
        KnownGroup(3, "g3", "x", "user"),
    ]
    listed = [Group("g1", "New", "user"), Group("g3", "x", "user"), Group("g4", "Fresh", "user")]
    changes = plan.plan_groups(known, listed)
    assert changes.inserts == (Group("g4", "Fresh", "user"),)
    assert changes.updates == ((1, Group("g1", "New", "user")),)
    assert changes.removals == (2,)


def test_strangers_are_those_whose_own_name_nobody_has() -> None:
    assert plan.strangers([row(1, "p1")], [person("p1"), person("p2")]) == [person("p2")]


MINE, STARRED = KnownGroup(1, "g1", "Team", "user"), KnownGroup(2, "g2", "starred", "system")


@pytest.mark.parametrize(
    ("known", "listed", "lacks"),
    [
        ([MINE, STARRED], [Group("g1", "Team", "user")], True),
        ([MINE, STARRED], [], True),
        ([MINE, STARRED], [Group("g1", "Team", "user"), Group("g2", "starred", "system")], False),
        ([MINE], [], False),
        ([], [Group("g2", "starred", "system")], False),
    ],
)
def test_a_list_of_labels_lacks_googles_own_if_they_were_there_once(
    known: list[KnownGroup], listed: list[Group], lacks: bool
) -> None:
    assert plan.lacks_googles_own(known, listed) is lacks


def test_a_full_listing_removes_what_it_has_not_shown() -> None:
    assert plan.removals({"a": 1, "b": 2}, full=True, seen={"a"}, tombstones=set()) == {2}


def test_an_incremental_listing_removes_only_what_still_owns_a_tombstones_name() -> None:
    assert plan.removals({"a": 1, "b": 2}, full=False, seen=set(), tombstones={"b", "old"}) == {2}


def test_a_mass_deletion_exceeds_both_the_share_and_the_minimum() -> None:
    def believed(removed: int, before: int) -> bool:
        return not plan.is_mass_deletion(removed, before, share=0.5, minimum=20)

    assert believed(20, 20)
    assert believed(50, 100)
    assert not believed(21, 21)
    assert not believed(51, 100)


names = st.sampled_from(["p1", "p2", "p3", "p4", "p5"])


@given(st.sets(names), st.lists(st.tuples(names, st.sampled_from(["e1", "e2"])), max_size=8))
def test_after_a_full_listing_rows_and_people_are_the_same_set(before: set[str], listed: list[tuple[str, str]]) -> None:
    """Whatever was known and whatever comes: inserts + kept rows - removals = the people listed, nobody twice."""
    rows = {name: row(id_, name) for id_, name in enumerate(sorted(before))}
    page = Page(tuple(person(name, etag=etag) for name, etag in listed), None, None)
    alive = plan.people_of(page)
    result = planned(list(rows.values()), alive)
    gone = plan.removals(
        {name: known.id for name, known in rows.items()},
        full=True,
        seen={one.resource_name for one in alive},
        tombstones=set(),
    )
    kept = [name for name, known in rows.items() if known.id not in gone]
    assert sorted(kept + [new.resource_name for new in result.changes.inserts]) == sorted({name for name, _ in listed})
