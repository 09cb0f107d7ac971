"""Google's bytes become our nouns; what doesn't fit stays in the payload."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.errors import PassingTrouble
from contacts_sync.google import wire
from contacts_sync.model import Email, Group, Person, Phone

TWICE = b'{"connections": [{"resourceName": "people/c1"}], "connections": []}'
OWN = {"primary": True, "source": {"type": "CONTACT", "id": "28e15ebc8e252761"}}


def person(**fields: Any) -> dict[str, Any]:
    """As recorded: a resource name, both kinds of etag, a CONTACT source."""
    source = {
        "type": "CONTACT",
        "id": "28e15ebc8e252761",
        "etag": "#WO+g=",
        "updateTime": "2023-02-24T16:59:37.385386Z",
    }
    fixed = {
        "resourceName": "people/c2945739795208677217",
        "etag": "%EigBAgMEBQY=",
        "metadata": {"sources": [source], "objectType": "PERSON"},
    }
    return {**fixed, **fields}


def read(**fields: Any) -> Person:
    page = wire.page_of(json.dumps({"connections": [person(**fields)], "nextSyncToken": "t"}).encode())
    (entry,) = page.entries
    assert isinstance(entry, Person)
    return entry


def test_a_rich_contact_fills_its_columns() -> None:
    found = read(
        names=[{"metadata": OWN, "displayName": "Dr. Ada Lovelace", "givenName": "Ada", "familyName": "Lovelace"}],
        nicknames=[{"metadata": OWN, "value": "Countess"}],
        organizations=[{"metadata": OWN, "name": "Engines", "title": "Analyst"}],
        birthdays=[{"metadata": OWN, "date": {"year": 1815, "month": 12, "day": 10}}],
        biographies=[{"metadata": OWN, "value": "First", "contentType": "TEXT_PLAIN"}],
        photos=[{"metadata": OWN, "url": "https://x/photo=s100"}],
        emailAddresses=[
            {"metadata": OWN, "value": "ada@x.example", "type": "work", "formattedType": "Work"},
            {"metadata": {"source": OWN["source"]}, "value": "a@home.example", "type": "my own label"},
        ],
        phoneNumbers=[{"metadata": OWN, "value": "666 12 34 90", "canonicalForm": "+34666123490", "type": "mobile"}],
        memberships=[{"contactGroupMembership": {"contactGroupResourceName": "contactGroups/myContacts"}}],
    )
    assert (found.display_name, found.given_name, found.family_name) == ("Dr. Ada Lovelace", "Ada", "Lovelace")
    assert (found.nickname, found.organization, found.job_title) == ("Countess", "Engines", "Analyst")
    assert (found.birthday, found.notes, found.photo_url) == ("1815-12-10", "First", "https://x/photo=s100")
    assert found.emails == (Email("ada@x.example", "work", True), Email("a@home.example", "my own label"))
    assert found.phones == (Phone("666 12 34 90", "+34666123490", "mobile", True),)
    assert found.memberships == {"contactGroups/myContacts"}
    assert (found.source_id, found.etag) == ("28e15ebc8e252761", "#WO+g=")


def test_the_payload_is_googles_own_text() -> None:
    found = read(newField={"later": [1, 2]}, names=[{"displayName": "Ada"}])
    assert json.loads(found.payload) == person(newField={"later": [1, 2]}, names=[{"displayName": "Ada"}])


def test_only_the_contacts_own_items_count_not_its_google_profile() -> None:
    profile = {"primary": True, "sourcePrimary": True, "source": {"type": "PROFILE", "id": "1"}}
    found = read(
        names=[
            {"metadata": profile, "displayName": "Profile"},
            {"metadata": {"source": OWN["source"]}, "displayName": "Mine"},
        ],
        emailAddresses=[{"metadata": profile, "value": "p@x.example"}, {"metadata": OWN, "value": "m@x.example"}],
    )
    assert found.display_name == "Mine"
    assert [email.value for email in found.emails] == ["m@x.example"]


def test_the_source_primary_item_is_the_one() -> None:
    found = read(nicknames=[{"value": "second"}, {"metadata": {"sourcePrimary": True}, "value": "first"}])
    assert found.nickname == "first"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"names": [{"unstructuredName": "Free text"}]}, "Free text"),
        ({"names": [{"givenName": "Ada", "familyName": "L"}]}, "Ada L"),
        ({"organizations": [{"name": "Engines"}]}, "Engines"),
        ({"emailAddresses": [{"value": "a@x.example"}]}, "a@x.example"),
        ({"phoneNumbers": [{"value": "112"}]}, "112"),
        ({}, None),
    ],
)
def test_a_nameless_contact_is_shown_by_what_it_has(fields: dict[str, Any], name: str | None) -> None:
    assert read(**fields).display_name == name


@pytest.mark.parametrize(
    ("birthday", "kept"),
    [
        ({"date": {"month": 11, "day": 3}}, "--11-03"),
        ({"date": {"month": 2, "day": 29}}, "--02-29"),
        ({"date": {"year": 2023, "month": 2, "day": 29}}, None),
        ({"date": {"year": 1999}}, None),
        ({"text": "1999-11-03"}, "1999-11-03"),
        ({"text": "in spring"}, None),
        ({"text": "19991103"}, None),
        ({"date": {"year": 99999, "month": 1, "day": 1}}, None),
    ],
)
def test_birthdays_may_lack_a_year_or_make_no_sense(birthday: dict[str, Any], kept: str | None) -> None:
    assert read(birthdays=[birthday]).birthday == kept


def test_a_generated_monogram_is_no_photo() -> None:
    assert read(photos=[{"url": "https://x/monogram", "default": True}]).photo_url is None


def test_a_tombstone_is_recognised_before_anything_else() -> None:
    gone = {"resourceName": "people/c1", "etag": "%x", "metadata": {"deleted": True, "sources": [{"type": "CONTACT"}]}}
    assert wire.page_of(json.dumps({"connections": [gone]}).encode()).entries == ("people/c1",)


def test_a_tombstone_stays_one_whatever_stands_beside_it() -> None:
    gone = {"resourceName": "people/c1", "metadata": {"deleted": True, "sources": "none"}, "names": 5}
    assert wire.page_of(json.dumps({"connections": [gone]}).encode()).entries == ("people/c1",)


def test_the_order_of_sources_changes_nothing() -> None:
    sources = [
        {"type": "CONTACT", "id": "aa", "etag": "#2"},
        {"type": "CONTACT", "id": "28e15ebc8e252761", "etag": "#1"},
    ]
    assert read(metadata={"sources": sources}).etag == read(metadata={"sources": sources[::-1]}).etag


def test_an_error_that_says_it_is_none_is_no_empty_address_book() -> None:
    with pytest.raises(PassingTrouble):
        wire.page_of(b'{"error": {"code": 500}}')


def test_merged_contacts_are_known_by_the_source_their_name_is_made_of() -> None:
    sources = [
        {"type": "CONTACT", "id": "aa", "etag": "#2"},
        {"type": "CONTACT", "id": "28e15ebc8e252761", "etag": "#1"},
    ]
    found = read(metadata={"sources": sources, "previousResourceNames": ["people/c170"]})
    assert (found.source_id, found.etag) == ("28e15ebc8e252761", "#1+#2")
    assert found.previous_resource_names == ("people/c170",)


def test_an_empty_answer_is_an_empty_page() -> None:
    page = wire.page_of(b'{"nextSyncToken": "t"}')
    assert (page.entries, page.next_page_token, page.next_sync_token) == ((), None, "t")


@pytest.mark.parametrize(
    "fields",
    [
        {"names": {}},
        {"names": [{"displayName": 5}], "emailAddresses": [{"value": "a@x.example"}, {"value": 7}]},
        {"metadata": {"sources": "none"}},
        {"photos": None, "memberships": [None]},
    ],
)
def test_fields_of_unexpected_types_cost_only_their_columns(fields: dict[str, Any]) -> None:
    found = read(**{"nicknames": [{"value": "kept"}], **fields})
    assert found.nickname == "kept"
    assert json.loads(found.payload) == person(**{"nicknames": [{"value": "kept"}], **fields})


def test_an_item_without_a_resource_name_is_counted() -> None:
    page = wire.page_of(b'{"connections": [{"names": []}, 5, {"resourceName": "people/c1"}]}')
    assert (len(page.entries), len(page.unreadable)) == (1, 2)


@pytest.mark.parametrize(
    ("escaped", "stored"),
    [
        ("a\\u0000b", "a\ufffdb"),
        ("a\\ud800b", "a\ufffdb"),
        ("\\udc00", "\ufffd"),
        ("\\ud83d\\ude00", "😀"),
        ("\\\\u0000", "\\u0000"),
    ],
)
def test_what_no_store_can_hold_is_replaced_in_columns_and_payload(escaped: str, stored: str) -> None:
    body = f'{{"connections": [{{"resourceName": "people/c1", "nicknames": [{{"value": "{escaped}"}}]}}]}}'
    (found,) = wire.page_of(body.encode()).entries
    assert isinstance(found, Person)
    assert found.nickname == stored
    assert json.loads(found.payload)["nicknames"][0]["value"] == stored


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    (found,) = wire.page_of(
        b'{"connections": [{"resourceName": "people/c1", "nicknames": [{"value": "a\xffb"}]}]}'
    ).entries
    assert isinstance(found, Person)
    assert found.nickname == "a\ufffdb"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"connections": [', b'{"a": NaN}', TWICE, b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_what_is_no_page_is_passing_trouble(body: bytes) -> None:
    with pytest.raises(PassingTrouble):
        wire.page_of(body)


@pytest.mark.parametrize("name", ["nextSyncToken", "nextPageToken"])
@pytest.mark.parametrize("token", [7, 1.5, True, ["t"], {"t": 1}])
def test_a_token_of_another_type_is_passing_trouble(name: str, token: object) -> None:
    """G20."""
    for of_page, listed in ((wire.page_of, "connections"), (wire.groups_of, "contactGroups")):
        with pytest.raises(PassingTrouble):
            of_page(json.dumps({listed: [], name: token}).encode())


@pytest.mark.parametrize("token", [None, ""])
def test_an_empty_token_is_none(token: object) -> None:
    body = json.dumps({"nextSyncToken": token, "nextPageToken": token}).encode()
    page = wire.page_of(body)
    assert (page.next_sync_token, page.next_page_token) == (None, None)
    labels, next_token = wire.groups_of(body)
    assert (labels.sync_token, next_token) == (None, None)


def test_a_contact_may_be_called_like_the_list_that_it_is_in() -> None:
    assert read(nicknames=[{"value": "connections"}]).nickname == "connections"


@pytest.mark.parametrize(("said", "total"), [(12, 12), ("many", None), (None, None), (1.5, None)])
def test_a_page_says_how_many_there_are(said: object, total: int | None) -> None:
    assert wire.page_of(json.dumps({"connections": [], "totalItems": said}).encode()).total == total


def test_no_cut_of_a_page_is_taken_for_a_page() -> None:
    whole = json.dumps({"connections": [person(names=[{"displayName": "Ada"}])], "nextSyncToken": "t"}).encode()
    for length in range(len(whole)):
        with pytest.raises(PassingTrouble):
            wire.page_of(whole[:length])


def test_labels_of_both_kinds_and_both_tokens_on_the_first_page() -> None:
    body = {
        "contactGroups": [
            {"resourceName": "contactGroups/myContacts", "groupType": "SYSTEM_CONTACT_GROUP", "name": "myContacts"},
            {"resourceName": "contactGroups/19cb", "etag": "x", "groupType": "USER_CONTACT_GROUP", "name": "Team"},
        ],
        "nextPageToken": "p",
        "nextSyncToken": "s",
    }
    groups, next_page = wire.groups_of(json.dumps(body).encode())
    assert groups.groups == (
        Group("contactGroups/myContacts", "myContacts", "system"),
        Group("contactGroups/19cb", "Team", "user"),
    )
    assert (groups.sync_token, next_page) == ("s", "p")


def test_a_label_of_unexpected_types_keeps_its_name_and_a_deleted_one_is_none() -> None:
    odd = {"resourceName": "contactGroups/1", "formattedName": "Team", "name": 5, "memberCount": "many"}
    gone = {"resourceName": "contactGroups/2", "metadata": {"deleted": True}}
    groups, _ = wire.groups_of(json.dumps({"contactGroups": [odd, gone, 7]}).encode())
    assert groups.groups == (Group("contactGroups/1", "Team", "user"),)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["names", "metadata", "emailAddresses", "phoneNumbers", "birthdays", "memberships", "photos", "x"]
)


@given(st.dictionaries(fields, values))
def test_no_person_is_lost_whatever_its_fields_are(changed: dict[str, Any]) -> None:
    page = wire.page_of(json.dumps({"connections": [{"resourceName": "people/c1", **changed}]}).encode())
    (entry,) = page.entries
    assert isinstance(entry, str) or json.loads(entry.payload)["resourceName"] == "people/c1"


FIRST_USE = """
import sys, threading
from contacts_sync.google import wire
sys.setswitchinterval(1e-6)
start = threading.Barrier(16)
threads = [threading.Thread(target=lambda: (start.wait(), wire.page_of(sys.argv[1].encode()))) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_may_read_their_first_page_at_once() -> None:
    person = {"resourceName": "people/c1", "names": [{"displayName": "A"}], "emailAddresses": [{"value": "a@b"}]}
    page = json.dumps({"connections": [person], "nextSyncToken": "t"})
    ends = [subprocess.run([sys.executable, "-c", FIRST_USE, page], check=False, timeout=60) for _ in range(8)]
    assert [end.returncode for end in ends] == [0] * 8
