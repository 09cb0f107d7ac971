"""A Google account: its people, its labels, and their history. Thread safe."""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Unpack

from contacts_sync.sandbox.content import PersonFields, content_of, default_photo, merged, plausible
from contacts_sync.sandbox.grants import Grants
from contacts_sync.sandbox.labels import SYSTEM_GROUPS, Label, render_label
from contacts_sync.sandbox.persons import MY_CONTACTS, PERSON_FIELDS, Contact, View, as_json

_KEPT_LISTINGS = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing as it stood at its first page; later pages and the sync token speak of that moment."""

    shape: str
    seq: int
    full_at: datetime
    entries: tuple[Contact, ...]


class Account:
    """One Google account. People go by their resource names, labels also by their display names."""

    def __init__(self, email: str, now: Callable[[], datetime], grants: Grants) -> None:
        digest = hashlib.sha256(email.encode(errors="surrogatepass")).hexdigest()
        self.email = email
        self.sub = f"1{int(digest, 16) % 10**20:020d}"
        self.sync_epoch = 0
        self.now = now
        self._grants = grants
        self._lock = threading.RLock()
        self._seq = 0
        self._ids = itertools.count(1)
        self._contacts: dict[str, Contact] = {}  # with tombstones, in the order of their last change
        self._labels: dict[str, Label] = {}
        self._listings: dict[str, Listing] = {}
        for name in SYSTEM_GROUPS:
            self._labels[f"contactGroups/{name}"] = Label(f"contactGroups/{name}", name, 0, now(), system=True)

    def add_person(self, **fields: Unpack[PersonFields]) -> str:
        """A new person in My Contacts; returns its resource name."""
        with self._change() as seq:
            source_id = self._new_id()
            name = f"people/c{int(source_id, 16)}"
            content = content_of(fields, {"photos": [default_photo(source_id)]})
            self._put(Contact(name, source_id, seq, self.now(), content, self._groups_of(fields)))
        return name

    def add_people(self, count: int, *, labels: tuple[str, ...] = ()) -> list[str]:
        """`count` plausible people, for demonstrations and for volume."""
        return [self.add_person(**(plausible(number) | {"labels": labels})) for number in range(count)]

    def change_person(self, name: str, **fields: Unpack[PersonFields]) -> None:
        """Sets `fields` over what the person has; an empty value removes. `labels` replaces all labels."""
        with self._change() as seq:
            person = self._person(name)
            groups = self._groups_of(fields) if "labels" in fields else person.groups
            self._update(person, seq, content=content_of(fields, person.content), groups=groups)

    def delete_person(self, name: str) -> None:
        """The person goes; incremental listings carry its tombstone."""
        with self._change() as seq:
            self._update(self._person(name), seq, deleted=True)

    def restore_person(self, name: str) -> None:
        """A deleted person comes back from the trash under its old resource name."""
        with self._change() as seq:
            self._update(self._contacts[name], seq, deleted=False)

    def merge_people(self, keep: str, drop: str) -> None:
        """As "merge duplicates": `keep` gets what `drop` has besides, `drop` leaves a tombstone."""
        with self._change() as seq:
            kept, dropped = self._person(keep), self._person(drop)
            groups = tuple(dict.fromkeys(kept.groups + dropped.groups))
            self._update(kept, seq, content=merged(kept.content, dropped.content), groups=groups)
            self.delete_person(drop)

    def rename_resource(self, name: str) -> str:
        """The person gets a new resource name (its source id stays), as when a link to a profile changes.
        Incremental listings carry the old name's tombstone first, then the person with previousResourceNames.
        """
        with self._change() as seq:
            person = self._person(name)
            self._update(person, seq, deleted=True)
            new_name = f"people/c{int(self._new_id(), 16)}"
            self._seq += 1
            formers = (*person.formers, (self._seq, name))
            self._put(replace(person, resource_name=new_name, seq=self._seq, formers=formers, rendered={}))
        return new_name

    def add_label(self, name: str) -> str:
        """A new label; returns its resource name. Names are unique in an account."""
        with self._change() as seq:
            if any(label.name == name for label in self._live_labels()):
                raise ValueError(f"label {name!r} exists already")
            resource_name = f"contactGroups/{self._new_id()}"
            self._labels[resource_name] = Label(resource_name, name, seq, self.now())
        return resource_name

    def rename_label(self, label: str, name: str) -> None:
        """The label's name changes; its members aren't touched."""
        with self._change() as seq:
            known = self._label(label)
            self._labels[known.resource_name] = replace(known, name=name, seq=seq, updated_at=self.now())

    def delete_label(self, label: str, *, touches_members: bool = True) -> None:
        """The label goes, and with it its memberships. Whether its members then show up in the next
        incremental listing isn't documented by Google: `touches_members` rehearses both.
        """
        with self._change() as seq:
            gone = self._label(label).resource_name
            self._labels[gone] = replace(self._labels[gone], deleted=True, seq=seq, updated_at=self.now())
            for person in [person for person in self._contacts.values() if gone in person.groups]:
                touched = touches_members and not person.deleted
                self._seq += touched
                groups = tuple(group for group in person.groups if group != gone)
                self._update(person, self._seq if touched else person.seq, groups=groups)

    def label(self, person: str, label: str) -> None:
        """Puts a label on a person: the person changes."""
        with self._change() as seq:
            known, group = self._person(person), self._label(label).resource_name
            self._update(known, seq, groups=tuple(dict.fromkeys((*known.groups, group))))

    def unlabel(self, person: str, label: str) -> None:
        """Takes a label off a person: the person changes."""
        with self._change() as seq:
            known, gone = self._person(person), self._label(label).resource_name
            self._update(known, seq, groups=tuple(group for group in known.groups if group != gone))

    def expire_sync_tokens(self) -> None:
        """Every sync token given out so far is refused as expired, also in the middle of a listing."""
        self.sync_epoch += 1

    def revoke_grants(self) -> None:
        """As if the user removed the app's access: every token of the account dies."""
        self._grants.revoke(self.email)

    def expire_access_tokens(self) -> None:
        """Access tokens die early (401); refresh tokens stay good."""
        self._grants.expire_access(self.email)

    def people(self, fields: Collection[str] = PERSON_FIELDS, *, profiles: bool = False) -> dict[str, dict[str, Any]]:
        """The truth: each person by resource name, as a full listing with the mask shows it; `profiles` when
        the request doesn't restrict itself to the CONTACT source.
        """
        view = View(frozenset(fields), profiles)
        return {known.resource_name: json.loads(as_json(known, view)) for known in self.snapshot()[1]}

    def labels(self) -> dict[str, dict[str, Any]]:
        """The truth: every label by resource name, system groups included, as contactGroups.list shows it."""
        return {group["resourceName"]: group for group in self.groups()[1]}

    def memberships(self) -> set[tuple[str, str]]:
        """The truth: pairs of a person's and a label's resource name."""
        return {(contact.resource_name, group) for contact in self.snapshot()[1] for group in contact.groups}

    def person(self, name: str) -> Contact | None:
        """The living person of that resource name."""
        with self._lock:
            found = self._contacts.get(name)
        return found if found and not found.deleted else None

    def snapshot(self, since: int | None = None) -> tuple[int, tuple[Contact, ...]]:
        """The account's `seq`, and all people; with `since` what changed after it, tombstones included."""
        with self._lock:
            if since is None:
                return self._seq, tuple(known for known in self._contacts.values() if not known.deleted)
            return self._seq, tuple(known for known in self._contacts.values() if known.seq > since)

    def groups(self, since: int | None = None) -> tuple[int, list[dict[str, Any]]]:
        """The account's `seq`, and all labels as served, or those changed after `since` with tombstones."""
        with self._lock:
            counts = Counter(group for person in self.snapshot()[1] for group in person.groups)
            wanted = self._live_labels() if since is None else self._labels_since(since)
            return self._seq, [render_label(label, counts[label.resource_name]) for label in wanted]

    def keep_listing(self, listing: Listing) -> str:
        """Remembers a listing for its later pages; the oldest of very many are forgotten. Returns its id."""
        listing_id = secrets.token_hex(8)
        with self._lock:
            self._listings[listing_id] = listing
            for old in list(self._listings)[:-_KEPT_LISTINGS]:
                del self._listings[old]
        return listing_id

    def listing(self, listing_id: str) -> Listing | None:
        """A listing that `keep_listing` remembered."""
        with self._lock:
            return self._listings.get(listing_id)

    @contextmanager
    def _change(self) -> Iterator[int]:
        with self._lock:
            self._seq += 1
            yield self._seq

    def _put(self, contact: Contact) -> None:
        self._contacts.pop(contact.resource_name, None)
        self._contacts[contact.resource_name] = contact

    def _update(self, contact: Contact, seq: int, **changes: Any) -> None:
        self._put(replace(contact, seq=seq, updated_at=self.now(), rendered={}, **changes))

    def _person(self, name: str) -> Contact:
        person = self.person(name)
        if person is None:
            raise KeyError(f"{self.email} has no person {name}")
        return person

    def _live_labels(self) -> list[Label]:
        return [label for label in self._labels.values() if not label.deleted]

    def _labels_since(self, since: int) -> list[Label]:
        return sorted((label for label in self._labels.values() if label.seq > since), key=lambda label: label.seq)

    def _label(self, label: str) -> Label:
        for known in self._live_labels():
            if label in (known.resource_name, known.name):
                return known
        raise KeyError(f"{self.email} has no label {label!r}")

    def _groups_of(self, fields: PersonFields) -> tuple[str, ...]:
        names = [self._existing_or_new(label) for label in fields.get("labels", ())]
        return tuple(dict.fromkeys((MY_CONTACTS, *names)))

    def _existing_or_new(self, label: str) -> str:
        try:
            return self._label(label).resource_name
        except KeyError:
            return self.add_label(label)

    def _new_id(self) -> str:
        digest = hashlib.sha256(f"{self.sub} {next(self._ids)}".encode()).digest()
        return f"{int.from_bytes(digest[:8]) >> 1 | 1 << 60:x}"
