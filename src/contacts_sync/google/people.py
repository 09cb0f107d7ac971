"""Pages of people and groups, and the sync tokens between them. One request shape, always the same."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import urlencode

from contacts_sync.errors import PassingTrouble
from contacts_sync.google import faults, wire
from contacts_sync.google.body import LARGEST_PAGE
from contacts_sync.google.http import HEADERS, Answer, Transport, get
from contacts_sync.model import Group, Groups, Page

# All that can be asked for of a contact: the schema's other fields can't be selected.
PERSON_FIELDS = (
    "addresses,ageRanges,biographies,birthdays,calendarUrls,clientData,coverPhotos,emailAddresses,events,externalIds,"
    "genders,imClients,interests,locales,locations,memberships,metadata,miscKeywords,names,nicknames,occupations,"
    "organizations,phoneNumbers,photos,relations,sipAddresses,skills,urls,userDefined"
)
SOURCES = "READ_SOURCE_TYPE_CONTACT"  # without it people come mixed with their own Google profiles
GROUP_FIELDS = "clientData,groupType,memberCount,metadata,name"
GROUPS_PATH = f"/v1/contactGroups?{urlencode({'pageSize': '1000', 'groupFields': GROUP_FIELDS}, safe=',')}"
MOST_GROUP_PAGES = 1_000
LARGE_PAGE = 1024 * 1024

Decoded = TypeVar("Decoded")
_decoding = threading.Lock()


@dataclass(frozen=True, slots=True)
class PeopleClient:
    """The People API at `base_url`, read in pages of `page_size` (1 to 1000)."""

    transport: Transport
    base_url: str
    page_size: int


def request_fingerprint(client: PeopleClient) -> str:
    """What a sync token is bound to: Google refuses it once the parameters of the request differ."""
    return _fingerprint(client.page_size)


@cache
def _fingerprint(page_size: int) -> str:
    shape = {**_people_params(page_size), "language": HEADERS["Accept-Language"]}
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]


def _people_params(page_size: int) -> dict[str, str]:
    return {
        "personFields": PERSON_FIELDS,
        "sources": SOURCES,
        "pageSize": str(page_size),
        "requestSyncToken": "true",
    }


@cache
def _people_path(page_size: int) -> str:
    """As Google writes it, with plain commas: urllib3 goes through a target with a % in it character by character."""
    return f"/v1/people/me/connections?{urlencode(_people_params(page_size), safe=',')}"


def fetch_page(
    client: PeopleClient, access_token: str, *, user_id: str, page_token: str | None, sync_token: str | None
) -> Page:
    """One page of a user's contacts: all of them, or what changed since `sync_token`.

    Raises `SyncTokenExpired`, `PageTokenRejected`, `AccessTokenRejected`, and what else `faults.judge` knows.
    """
    tokens = {"syncToken": sync_token, "pageToken": page_token}
    params = {name: token for name, token in tokens.items() if token is not None}
    answer = _get(client, _people_path(client.page_size), params, access_token, user_id)
    return _decoded(_checked(answer, page_token=page_token, sync_token=sync_token), wire.page_of)


def fetch_groups(client: PeopleClient, access_token: str, *, user_id: str) -> Groups:
    """All labels of a user, from however many pages.

    Raises `AccessTokenRejected`, `PassingTrouble` for pages that don't end, and what else `faults.judge` knows.
    """
    found: dict[str, Group] = {}
    page_tokens: list[str | None] = [None]
    while True:
        params = {"pageToken": page_tokens[-1]} if page_tokens[-1] is not None else {}
        answer = _get(client, GROUPS_PATH, params, access_token, user_id)
        page, next_token = _decoded(_checked(answer), wire.groups_of)
        found.update((group.resource_name, group) for group in page.groups)
        if next_token is None:
            return Groups(tuple(found.values()), page.sync_token)
        if next_token in page_tokens or len(page_tokens) >= MOST_GROUP_PAGES:
            raise PassingTrouble("Google's pages of labels don't end")
        page_tokens.append(next_token)


def _get(client: PeopleClient, path: str, params: Mapping[str, str], access_token: str, user_id: str) -> Answer:
    return get(
        client.transport,
        client.base_url + path,
        params=params,
        access_token=access_token,
        user_id=user_id,
        largest=LARGEST_PAGE,
    )


def _decoded(body: bytes, decode: Callable[[bytes], Decoded]) -> Decoded:
    """Large pages are decoded one after the other: each takes several times its size meanwhile."""
    with _decoding if len(body) > LARGE_PAGE else nullcontext():
        return decode(body)


def _checked(answer: Answer, *, page_token: str | None = None, sync_token: str | None = None) -> bytes:
    if answer.status == 200:
        return answer.body
    raise faults.judge(
        answer.status,
        answer.headers,
        answer.body,
        carried_sync_token=sync_token is not None,
        carried_page_token=page_token is not None,
        now=answer.received_at,
    )
