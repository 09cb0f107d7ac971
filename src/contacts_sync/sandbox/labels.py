"""One label (contact group) of an account, and how Google renders it. Pure."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts_sync.sandbox.persons import rfc3339

SYSTEM_GROUPS = {
    "myContacts": "My Contacts",
    "starred": "Starred",
    "all": "All Contacts",
    "blocked": "Blocked",
    "chatBuddies": "Chat contacts",
    "friends": "Friends",
    "family": "Family",
    "coworkers": "Coworkers",
}


@dataclass(frozen=True, slots=True)
class Label:
    """One state of a label, or its tombstone. `seq` orders all changes of an account."""

    resource_name: str
    name: str
    seq: int
    updated_at: datetime
    system: bool = False
    deleted: bool = False


def render_label(label: Label, member_count: int) -> dict[str, Any]:
    """The ContactGroup as contactGroups.list shows it: system groups have neither etag nor metadata."""
    group: dict[str, Any] = {"resourceName": label.resource_name}
    if not label.system:
        group |= {"etag": _etag(label), "metadata": _metadata(label)}
    group["groupType"] = "SYSTEM_CONTACT_GROUP" if label.system else "USER_CONTACT_GROUP"
    group |= {"name": label.name, "formattedName": SYSTEM_GROUPS[label.name] if label.system else label.name}
    return group | {"memberCount": member_count} if member_count else group


def _metadata(label: Label) -> dict[str, Any]:
    return {"deleted": True} if label.deleted else {"updateTime": rfc3339(label.updated_at)}


def _etag(label: Label) -> str:
    text = f"{label.resource_name} {label.seq}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()
