from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts_sync.sandbox import Account, Sandbox
from contacts_sync.sandbox.answers import EXPIRED_SYNC_TOKEN
from tests.sandbox.conftest import ANN, Caller

Answered = tuple[int, str]


def _error(answer: Any) -> Answered:
    return answer.status_code, answer.json()["error"]["status"]


def test_a_full_listing_tells_the_truth(caller: Caller, account: Account) -> None:
    account.add_people(5, labels=("Work",))
    people, _ = caller.listing(pageSize=2)
    assert {person["resourceName"]: person for person in people} == account.people(("metadata", "names", "memberships"))


def test_a_listing_of_nobody_has_neither_list_nor_totals(caller: Caller) -> None:
    assert caller.connections().json().keys() == {"nextSyncToken"}


def test_a_page_holds_a_hundred_people_unless_told_otherwise(caller: Caller, account: Account) -> None:
    account.add_people(101)
    page = caller.connections().json()
    assert (len(page["connections"]), page["totalItems"], page["totalPeople"]) == (100, 101, 101)


def test_without_asking_there_is_no_sync_token(caller: Caller, account: Account) -> None:
    account.add_person()
    assert "nextSyncToken" not in caller.connections(requestSyncToken="false").json()


def test_an_incremental_listing_without_changes_is_empty(caller: Caller, account: Account) -> None:
    account.add_people(3)
    _, token = caller.listing()
    assert caller.listing(syncToken=token)[0] == []


def test_an_incremental_listing_brings_each_changed_person_once(caller: Caller, account: Account) -> None:
    first, second, _ = account.add_people(3)
    _, token = caller.listing()
    account.change_person(second, given_name="B")
    account.change_person(first, given_name="A")
    account.change_person(second, given_name="C")
    people, _ = caller.listing(syncToken=token)
    assert [person["names"][0]["givenName"] for person in people] == ["A", "C"]


def test_a_tombstone_has_no_names_and_needs_metadata_in_the_mask(caller: Caller, account: Account) -> None:
    name = account.add_person(given_name="Gone")
    _, token = caller.listing()
    account.delete_person(name)
    (tombstone,) = caller.listing(syncToken=token)[0]
    assert tombstone.keys() == {"resourceName", "etag", "metadata"}
    assert tombstone["metadata"]["deleted"] is True
    assert tombstone["metadata"]["sources"][0].keys() == {"type", "id"}


def test_a_full_listing_never_mentions_the_dead(caller: Caller, account: Account) -> None:
    name = account.add_person()
    account.delete_person(name)
    assert caller.listing()[0] == []


def test_a_change_during_paging_comes_with_the_next_sync_token(caller: Caller, account: Account) -> None:
    _, second = account.add_people(2)
    page = caller.connections(pageSize=1).json()
    account.change_person(second, given_name="Late")
    last = caller.connections(pageSize=1, pageToken=page["nextPageToken"]).json()
    people, _ = caller.listing(pageSize=1, syncToken=last["nextSyncToken"])
    assert [person["names"][0]["givenName"] for person in people] == ["Late"]


def test_a_page_can_be_asked_for_again(caller: Caller, account: Account) -> None:
    account.add_people(3)
    token = caller.connections(pageSize=1).json()["nextPageToken"]
    again = [caller.connections(pageSize=1, pageToken=token).json()["connections"] for _ in range(2)]
    assert again[0] == again[1]


def test_previous_names_show_only_in_incremental_listings(caller: Caller, account: Account) -> None:
    old = account.add_person()
    _, token = caller.listing()
    account.rename_resource(old)
    tombstone, person = caller.listing(syncToken=token)[0]
    assert (tombstone["resourceName"], person["metadata"]["previousResourceNames"]) == (old, [old])
    (person,) = caller.listing()[0]
    assert "previousResourceNames" not in person["metadata"]


@pytest.mark.parametrize("change", [{"pageSize": 3}, {"personFields": "names"}, {"sources": ""}])
def test_other_parameters_than_the_first_calls_are_refused(
    caller: Caller, account: Account, change: dict[str, Any]
) -> None:
    account.add_people(2)
    token = caller.connections(pageSize=1).json()["nextPageToken"]
    assert _error(caller.connections(**{"pageSize": 1, "pageToken": token, **change})) == (
        400,
        "INVALID_ARGUMENT",
    )
    _, sync_token = caller.listing(pageSize=1)
    answer = caller.connections(**{"pageSize": 1, "syncToken": sync_token, **change})
    assert _error(answer) == (400, "INVALID_ARGUMENT")


def test_a_page_without_the_listings_sync_token_is_refused(caller: Caller, account: Account) -> None:
    _, token = caller.listing(pageSize=1)
    account.add_people(2)
    page = caller.connections(pageSize=1, syncToken=token).json()
    assert _error(caller.connections(pageSize=1, pageToken=page["nextPageToken"])) == (
        400,
        "INVALID_ARGUMENT",
    )


@pytest.mark.parametrize(
    "query",
    [
        {"personFields": ""},
        {"personFields": "names,fileAses"},
        {"pageSize": 1001},
        {"pageSize": -1},
        {"pageSize": "many"},
        {"sources": "READ_SOURCE_TYPE_NOWHERE"},
        {"sortOrder": "BY_AGE"},
        {"pageToken": "rubbish"},
        {"syncToken": "rubbish"},
        {"syncTokens": "x"},
    ],
    ids=str,
)
def test_a_request_that_google_would_not_understand_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    assert _error(caller.connections(**query)) == (400, "INVALID_ARGUMENT")


def test_a_bad_mask_is_named(caller: Caller) -> None:
    message = caller.connections(personFields="nope").json()["error"]["message"]
    assert message == "Invalid personFields mask path: 'nope'."


def test_anothers_sync_token_is_refused(caller: Caller, google: Sandbox) -> None:
    _, token = caller.listing()
    google.world.add_account("bob@example.com")
    caller.token = google.world.grants.issue_access("bob@example.com", ("https://www.googleapis.com/auth/contacts",))
    assert _error(caller.connections(syncToken=token)) == (400, "INVALID_ARGUMENT")


def test_a_sync_token_dies_seven_days_after_the_full_sync(caller: Caller, google: Sandbox) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    google.world.clock = lambda: start
    _, first = caller.listing()
    google.world.clock = lambda: start + timedelta(days=6)
    caller.token = google.world.grants.issue_access(ANN, ("https://www.googleapis.com/auth/contacts",))
    _, renewed = caller.listing(syncToken=first)
    google.world.clock = lambda: start + timedelta(days=7)
    caller.token = google.world.grants.issue_access(ANN, ("https://www.googleapis.com/auth/contacts",))
    error = caller.connections(syncToken=renewed).json()["error"]
    assert error["message"] == EXPIRED_SYNC_TOKEN
    assert error["details"][0]["reason"] == "EXPIRED_SYNC_TOKEN"


def test_sync_tokens_expire_on_order_also_between_two_pages(caller: Caller, account: Account) -> None:
    _, token = caller.listing(pageSize=1)
    account.add_people(2)
    page = caller.connections(pageSize=1, syncToken=token).json()
    account.expire_sync_tokens()
    answer = caller.connections(pageSize=1, syncToken=token, pageToken=page["nextPageToken"])
    assert _error(answer) == (400, "FAILED_PRECONDITION")
    assert caller.connections().status_code == 200


def test_a_dead_access_token_is_told_how_to_authenticate(caller: Caller, account: Account) -> None:
    account.expire_access_tokens()
    answer = caller.connections()
    assert _error(answer) == (401, "UNAUTHENTICATED")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_grant_without_contacts_lacks_the_scope(caller: Caller, google: Sandbox) -> None:
    caller.token = google.world.grants.issue_access(ANN, ("openid",))
    for path in ("/v1/people/me/connections", "/v1/contactGroups"):
        error = caller.get(path).json()["error"]
        assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


def test_profiles_are_merged_in_unless_only_contacts_are_asked_for(caller: Caller, account: Account) -> None:
    profile = {"metadata": {"source": {"type": "PROFILE", "id": "1"}}, "displayName": "Other"}
    account.add_person(raw={"names": [{"displayName": "Mine"}, profile]})
    (alone,) = caller.connections(sources="READ_SOURCE_TYPE_CONTACT").json()["connections"]
    (merged,) = caller.connections(sources=None).json()["connections"]
    assert [name["displayName"] for name in alone["names"]] == ["Mine"]
    assert [name["displayName"] for name in merged["names"]] == ["Mine", "Other"]


def test_labels_come_thirty_at_a_time_each_page_with_a_sync_token(caller: Caller, account: Account) -> None:
    for number in range(30):
        account.add_label(f"Label {number}")
    first = caller.get("/v1/contactGroups").json()
    second = caller.get("/v1/contactGroups", pageToken=first["nextPageToken"]).json()
    assert (len(first["contactGroups"]), len(second["contactGroups"])) == (30, 8)
    assert first["nextSyncToken"] == second["nextSyncToken"]


def test_a_group_mask_leaves_the_rest_out(caller: Caller, account: Account) -> None:
    account.add_person()
    group = caller.get("/v1/contactGroups", groupFields="name").json()["contactGroups"][0]
    assert group.keys() == {"resourceName", "name", "formattedName"}


def test_somebody_unknown_is_not_found(caller: Caller) -> None:
    assert _error(caller.get("/v1/people/c1", personFields="names")) == (404, "NOT_FOUND")
