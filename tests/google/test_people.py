"""One request shape; pages and tokens as Google wants them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses
from googleapiclient import discovery_cache
from requests import PreparedRequest

from contacts_sync import errors
from contacts_sync.google import people
from contacts_sync.google.http import Transport
from contacts_sync.google.people import PeopleClient
from contacts_sync.model import Page

BASE = "https://people.googleapis.com"
PEOPLE = f"{BASE}/v1/people/me/connections"
GROUPS = f"{BASE}/v1/contactGroups"
BAD = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Request contains an invalid argument."}}


def page(transport: Transport, *answers: tuple[int, Any], **tokens: str | None) -> tuple[Page, PreparedRequest]:
    with responses.RequestsMock() as google:
        for status, body in answers:
            google.get(PEOPLE, status=status, json=body)
        given = {"page_token": None, "sync_token": None, **tokens}
        found = people.fetch_page(PeopleClient(transport, BASE, 1000), "token", user_id="alice", **given)
        return found, google.calls[-1].request


def test_every_request_has_the_one_shape(transport: Transport) -> None:
    _, sent = page(transport, (200, {}), page_token="p=", sync_token="s_=")
    assert dict(parse_qsl(urlsplit(sent.url or "").query)) == {
        "personFields": people.PERSON_FIELDS,
        "sources": "READ_SOURCE_TYPE_CONTACT",
        "pageSize": "1000",
        "requestSyncToken": "true",
        "pageToken": "p=",
        "syncToken": "s_=",
    }
    assert {"metadata", "memberships"} <= set(people.PERSON_FIELDS.split(","))
    assert "gzip" in sent.headers["User-Agent"]
    assert (sent.headers["Accept-Language"], sent.headers["Authorization"]) == ("en", "Bearer token")


def test_every_field_that_google_lists_is_asked_for() -> None:
    document = Path(discovery_cache.__file__).parent / "documents" / "people.v1.json"
    people_methods = json.loads(document.read_text())["resources"]["people"]["resources"]
    described = people_methods["connections"]["methods"]["list"]["parameters"]["personFields"]["description"]
    assert re.findall(r"\* (\w+)", described) == people.PERSON_FIELDS.split(",")


def test_a_rejected_sync_token_is_told_from_a_rejected_page_token(transport: Transport) -> None:
    with pytest.raises(errors.SyncTokenExpired):
        page(transport, (400, BAD), sync_token="s")
    with pytest.raises(errors.PageTokenRejected):
        page(transport, (400, BAD), page_token="p")
    with pytest.raises(errors.RequestRejected):
        page(transport, (400, BAD))


def test_a_field_mask_that_google_doesnt_know_is_neither_tokens_fault(transport: Transport) -> None:
    mask = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Invalid personFields mask path: 'nope'."}}
    with pytest.raises(errors.RequestRejected):
        page(transport, (400, mask), page_token="p", sync_token="s")


def test_a_portal_that_answers_in_googles_place_is_no_empty_address_book(transport: Transport) -> None:
    with responses.RequestsMock() as portal:
        portal.get(PEOPLE, body="{}", content_type="text/html; charset=utf-8")
        with pytest.raises(errors.PassingTrouble, match="no JSON"):
            people.fetch_page(PeopleClient(transport, BASE, 1000), "t", user_id="u", page_token=None, sync_token=None)


def test_the_fingerprint_is_the_requests_shape(transport: Transport) -> None:
    one, same, other = (
        PeopleClient(transport, base, size) for base, size in ((BASE, 1000), ("http://x", 1000), (BASE, 500))
    )
    assert people.request_fingerprint(one) == people.request_fingerprint(same)
    assert people.request_fingerprint(one) != people.request_fingerprint(other)


def groups(transport: Transport, *pages: dict[str, Any]) -> Any:
    with responses.RequestsMock() as google:
        for body in pages:
            google.get(GROUPS, json=body)
        return people.fetch_groups(PeopleClient(transport, BASE, 1000), "token", user_id="alice")


def label(name: str) -> dict[str, str]:
    return {"resourceName": f"contactGroups/{name}", "name": name, "groupType": "USER_CONTACT_GROUP"}


def test_labels_come_from_all_pages_and_their_token_from_the_last(transport: Transport) -> None:
    first = {"contactGroups": [label("a")], "nextPageToken": "2", "nextSyncToken": "early"}
    listed = groups(transport, first, {"contactGroups": [label("b")], "nextSyncToken": "late"})
    assert [group.name for group in listed.groups] == ["a", "b"]
    assert listed.sync_token == "late"


def test_pages_of_labels_that_dont_end_are_stopped(transport: Transport) -> None:
    endless = {"contactGroups": [label("a")], "nextPageToken": "again"}
    with pytest.raises(errors.PassingTrouble, match="don't end"):
        groups(transport, endless, endless)
