"""Google's own client library drives the sandbox, and Google's own schema judges every answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

from contacts_sync.sandbox import Account, Sandbox
from contacts_sync.sandbox.persons import PERSON_FIELDS
from tests.sandbox.conftest import ANN, CONTACTS

DISCOVERY = json.loads(get_static_doc("people", "v1"))
EVERYTHING = ",".join(PERSON_FIELDS)
RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"


def _as_json_schema(node: Any) -> Any:
    """A discovery schema as a JSON Schema that allows nothing it doesn't name."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {name: _as_json_schema(value) for name, value in node.items() if name != "id"}
    if isinstance(node.get("$ref"), str):
        schema["$ref"] = f"#/$defs/{node['$ref']}"
    if node.get("format") == "google-datetime":
        schema["pattern"] = RFC3339
    if "properties" in node and node.get("type") == "object":
        schema["properties"] = {name: _as_json_schema(value) for name, value in node["properties"].items()}
        schema["additionalProperties"] = False
    return schema


SCHEMAS = {name: _as_json_schema(schema) for name, schema in DISCOVERY["schemas"].items()}
Ask = Callable[..., dict[str, Any]]


def _validated(answer: dict[str, Any], schema: str) -> dict[str, Any]:
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": SCHEMAS}).validate(answer)
    return answer


@pytest.fixture
def service(google: Sandbox, account: Account) -> Iterator[Any]:
    token = google.world.grants.issue_access(ANN, (CONTACTS,))
    document = DISCOVERY | {"rootUrl": f"{google.url}/", "baseUrl": f"{google.url}/"}
    credentials = Credentials(token)  # type: ignore[no-untyped-call]  # Google's class has no types
    with build_from_document(document, credentials=credentials) as built:
        yield built


@pytest.fixture
def connections(service: Any) -> Ask:
    def ask(**query: Any) -> dict[str, Any]:
        method = service.people().connections().list
        whole = {"personFields": EVERYTHING, "requestSyncToken": True, "pageSize": 2, **query}
        return _validated(method(resourceName="people/me", **whole).execute(), "ListConnectionsResponse")

    return ask


@pytest.fixture
def groups(service: Any) -> Ask:
    def ask(**query: Any) -> dict[str, Any]:
        return _validated(service.contactGroups().list(**query).execute(), "ListContactGroupsResponse")

    return ask


def test_the_field_mask_knows_the_paths_that_google_documents() -> None:
    parameters = DISCOVERY["resources"]["people"]["resources"]["connections"]["methods"]["list"]["parameters"]
    described = parameters["personFields"]["description"].split("Valid values are: * ")[1]
    assert sorted(PERSON_FIELDS) == sorted(described.split(" * "))


def test_an_empty_account_answers_without_a_list(connections: Ask) -> None:
    assert connections().keys() == {"nextSyncToken"}


def test_rich_and_poor_people_are_valid_persons(account: Account, connections: Ask) -> None:
    account.add_person(
        given_name="Zoë",
        family_name="de la Cruz",
        nickname="Zo",
        emails=[("zoe@example.com", "work"), "zoe@example.org"],
        phones=[("+34 666 12 34 90", "mobile"), "117"],
        organization="Quist & Co",
        job_title="Mascot",
        birthday={"month": 11, "day": 3},
        notes="Two\nlines",
        labels=["Friends"],
        raw={"userDefined": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
    )
    account.add_person()
    page = connections()
    assert {person["resourceName"]: person for person in page["connections"]} == account.people(profiles=True)


def test_pages_chain_and_only_the_last_one_carries_the_sync_token(account: Account, connections: Ask) -> None:
    names = account.add_people(5)
    first = connections()
    second = connections(pageToken=first["nextPageToken"])
    third = connections(pageToken=second["nextPageToken"])
    assert [page.get("nextSyncToken") is None for page in (first, second, third)] == [True, True, False]
    listed = [person for page in (first, second, third) for person in page["connections"]]
    assert [person["resourceName"] for person in listed] == names


def test_changes_come_as_people_and_tombstones(account: Account, connections: Ask) -> None:
    kept, moved, dropped = account.add_people(3)
    token = connections(pageToken=connections()["nextPageToken"])["nextSyncToken"]
    account.change_person(kept, nickname="K")
    account.delete_person(dropped)
    renamed = account.rename_resource(moved)
    first = connections(syncToken=token)
    second = connections(syncToken=token, pageToken=first["nextPageToken"])
    people = first["connections"] + second["connections"]
    found = [(person["resourceName"], "deleted" in person["metadata"]) for person in people]
    assert found == [(kept, False), (dropped, True), (moved, True), (renamed, False)]
    assert second["connections"][-1]["metadata"]["previousResourceNames"] == [moved]


def test_the_librarys_own_pager_walks_a_listing(service: Any, account: Account) -> None:
    account.add_people(7)
    resource = service.people().connections()
    request, seen = resource.list(resourceName="people/me", personFields="names", pageSize=3), 0
    while request is not None:
        page = _validated(request.execute(), "ListConnectionsResponse")
        seen += len(page["connections"])
        request = resource.list_next(request, page)
    assert seen == 7


def test_labels_are_valid_contact_groups(account: Account, groups: Ask) -> None:
    account.add_person(labels=["Friends of mine", "starred"])
    first = groups(pageSize=5)
    second = groups(pageSize=5, pageToken=first["nextPageToken"])
    listed = {group["resourceName"]: group for group in first["contactGroups"] + second["contactGroups"]}
    assert listed == account.labels()
    account.delete_label("Friends of mine")
    (tombstone,) = groups(syncToken=second["nextSyncToken"])["contactGroups"]
    assert tombstone["metadata"] == {"deleted": True}


def test_a_single_person_and_the_own_profile_are_valid_persons(service: Any, account: Account) -> None:
    name = account.add_person(given_name="Bo")
    for resource in (name, "people/me"):
        answer = service.people().get(resourceName=resource, personFields=EVERYTHING).execute()
        _validated(answer, "Person")


def test_an_expired_sync_token_reads_as_googles_error(account: Account, connections: Ask) -> None:
    token = connections()["nextSyncToken"]
    account.expire_sync_tokens()
    with pytest.raises(HttpError) as caught:
        connections(syncToken=token)
    assert caught.value.resp.status == 400
    assert caught.value.error_details[0]["reason"] == "EXPIRED_SYNC_TOKEN"


def test_the_schema_would_notice_a_field_that_google_does_not_have() -> None:
    with pytest.raises(jsonschema.ValidationError):
        _validated({"connections": [{"resourceName": "people/c1", "surname": "?"}]}, "ListConnectionsResponse")
