"""One person of an account, and how Google renders it for a field mask. Pure.

Shapes follow recorded answers of people.connections.list and the API's discovery document (people v1).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts_sync.sandbox.answers import encode

# Every path that personFields may name, in the order in which answers carry the fields.
PERSON_FIELDS = (
    "metadata",
    "names",
    "nicknames",
    "photos",
    "birthdays",
    "addresses",
    "emailAddresses",
    "phoneNumbers",
    "biographies",
    "organizations",
    "occupations",
    "urls",
    "events",
    "genders",
    "imClients",
    "interests",
    "locales",
    "locations",
    "memberships",
    "relations",
    "sipAddresses",
    "skills",
    "userDefined",
    "externalIds",
    "calendarUrls",
    "clientData",
    "miscKeywords",
    "ageRanges",
    "coverPhotos",
)
MY_CONTACTS = "contactGroups/myContacts"
_ALL_SOURCES = bytes((1, 2, 5, 7))  # as found inside recorded person etags
_CONTACT_SOURCE = bytes((2,))


@dataclass(frozen=True, slots=True)
class View:
    """What a request asked to see: the fields of its mask, and whether profiles are merged in."""

    fields: frozenset[str] = frozenset(PERSON_FIELDS)
    profiles: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """One state of a person, or its tombstone. `seq` orders all changes of an account; `formers` are the
    resource names it had, each with the `seq` of the change of name.
    """

    resource_name: str
    source_id: str
    seq: int
    updated_at: datetime
    content: Mapping[str, Any]
    groups: tuple[str, ...] = (MY_CONTACTS,)
    formers: tuple[tuple[int, str], ...] = ()
    deleted: bool = False
    rendered: dict[View, bytes] = field(default_factory=dict, compare=False, repr=False)


def as_json(contact: Contact, view: View, since: int | None = None) -> bytes:
    """The person as bytes of JSON, cached: a listing of 25,000 people is mostly a join of these."""
    if since is not None and contact.formers:
        return encode(render(contact, view, since))
    if view not in contact.rendered:
        contact.rendered[view] = encode(render(contact, view))
    return contact.rendered[view]


def render(contact: Contact, view: View, since: int | None = None) -> dict[str, Any]:
    """The Person as a client with this view receives it; `since`: the sync token's `seq`, if it sent one."""
    person: dict[str, Any] = {"resourceName": contact.resource_name, "etag": person_etag(contact, view)}
    for name in (known for known in PERSON_FIELDS if known in view.fields):
        value = _metadata(contact, since) if name == "metadata" else _items(contact, name, view)
        if value:
            person[name] = value
    return person


def _metadata(contact: Contact, since: int | None) -> dict[str, Any]:
    source = {"type": "CONTACT", "id": contact.source_id}
    if contact.deleted:
        return {"sources": [source], "deleted": True, "objectType": "PERSON"}
    stamp = {"etag": source_etag(contact), "updateTime": rfc3339(contact.updated_at)}
    metadata: dict[str, Any] = {"sources": [source | stamp]}
    formers = [name for seq, name in contact.formers if since is not None and seq > since]
    if formers:
        metadata["previousResourceNames"] = formers
    return metadata | {"objectType": "PERSON"} | dict(contact.content.get("metadata") or {})


def _items(contact: Contact, name: str, view: View) -> list[dict[str, Any]]:
    if contact.deleted:
        return []
    items = _memberships(contact) if name == "memberships" else contact.content.get(name, [])
    complete = [_with_metadata(item, contact.source_id, position, name) for position, item in enumerate(items)]
    return [item for item in complete if view.profiles or item["metadata"]["source"]["type"] == "CONTACT"]


def _with_metadata(item: dict[str, Any], source_id: str, position: int, name: str) -> dict[str, Any]:
    if "source" in item.get("metadata", {}):
        return item
    metadata: dict[str, Any] = {"source": {"type": "CONTACT", "id": source_id}}
    if position == 0 and name != "memberships":
        metadata = {"primary": True, **metadata, "sourcePrimary": True}
    return {
        "metadata": metadata | item.get("metadata", {}),
        **{k: v for k, v in item.items() if k != "metadata"},
    }


def _memberships(contact: Contact) -> list[dict[str, Any]]:
    groups = [{"contactGroupMembership": _membership(group)} for group in contact.groups]
    return groups + list(contact.content.get("memberships", []))


def _membership(group: str) -> dict[str, str]:
    return {"contactGroupId": group.removeprefix("contactGroups/"), "contactGroupResourceName": group}


def source_etag(contact: Contact) -> str:
    """The CONTACT source's etag: it changes with the content and the memberships, never with the mask."""
    return f"#{_digest([contact.source_id, contact.content, sorted(contact.groups)])}"


def person_etag(contact: Contact, view: View) -> str:
    """The person's etag: the numbers of the asked fields and sources, then the source's etag."""
    numbers = bytes(number for number, name in enumerate(PERSON_FIELDS, 1) if name in view.fields)
    sources = _ALL_SOURCES if view.profiles else _CONTACT_SOURCE
    data = b"\x12" + bytes((len(numbers),)) + numbers + b"\x1a" + bytes((len(sources),)) + sources
    if not contact.deleted:
        data += b'"\x0c' + source_etag(contact)[1:].encode()
    return f"%{base64.b64encode(data).decode()}"


def _digest(value: object) -> str:
    return base64.b64encode(hashlib.sha256(encode(value)).digest()[:8]).decode()


def rfc3339(instant: datetime) -> str:
    """An instant as Google writes it: UTC, microseconds, Z."""
    return f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
