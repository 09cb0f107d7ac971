"""`contacts`, their e-mails, phones and labels: what a sync reads and writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, insert, select, update

from contacts_sync.model import (
    Changes,
    ContactUpdate,
    Email,
    GroupChanges,
    KnownContact,
    KnownGroup,
    Person,
    Phone,
)
from contacts_sync.store import rows as rows_
from contacts_sync.store.contact_rows import ContactRow, entries, listing, search, show
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.search_words import search_texts
from contacts_sync.store.tables import (
    contact_emails,
    contact_group_members,
    contact_groups,
    contact_phones,
    contacts,
    is_of,
    unreadable_contacts,
)
from contacts_sync.store.transactions import Transaction

__all__ = [
    "ContactRow",
    "Ready",
    "apply",
    "apply_groups",
    "count",
    "entries",
    "ids_of",
    "keep_unreadable",
    "known",
    "known_groups",
    "known_names",
    "listing",
    "payloads",
    "ready",
    "remove",
    "search",
    "show",
    "unreadable_counts",
]

KNOWN = [contacts.c[name] for name in ("id", "resource_name", "source_id", "etag")]
IDENTITY = ("resource_name", "source_id")  # a person's first fields
PLAIN = Person._fields[: Person._fields.index("emails")]  # the fields that are columns of the same name come first
PLAIN_VALUES = itemgetter(slice(len(PLAIN)))
NAMES = itemgetter(slice(PLAIN.index("display_name"), PLAIN.index("job_title") + 1))
WRITTEN = (*PLAIN, "search_text")
NOTHING = GroupChanges()
NO_LABELS: frozenset[str] = frozenset()

OF_USER = select(*KNOWN).where(contacts.c.user_id == bindparam("of_user"))
BY_NAME = rows_.Fetch(OF_USER.where(rows_.among_given(contacts.c.resource_name)))
BY_SOURCE = rows_.Fetch(OF_USER.where(rows_.among_given(contacts.c.source_id)))
ALL_NAMES = rows_.Fetch(select(*KNOWN[:2]).where(contacts.c.user_id == bindparam("of_user")))
MEMBERSHIPS = rows_.Fetch(
    select(contact_group_members.c.contact_id, contact_groups.c.resource_name)
    .join(contact_groups)
    .where(rows_.among_given(contact_group_members.c.contact_id))
)
PAYLOADS = Prepared(select(contacts.c.id, contacts.c.payload).where(rows_.among_given(contacts.c.id)))
GROUP = [contact_groups.c[name] for name in KnownGroup.__slots__]
GROUPS_OF_USER = Prepared(select(*GROUP).where(contact_groups.c.user_id == bindparam("of_user")))

# -- what is known


def known(
    tx: Transaction, user_id: str, resource_names: Collection[str], source_ids: Collection[str]
) -> list[KnownContact]:
    """The user's contacts with one of these resource names or CONTACT source ids, and their memberships."""
    rows: dict[int, Any] = {}
    for query, values in ((BY_NAME, resource_names), (BY_SOURCE, source_ids)):
        if values:
            rows.update((row[0], row) for row in query.rows(tx, of_user=user_id, values=values))
    memberships = _memberships(tx, rows)
    return [KnownContact(id_, row[1], row[2], row[3], memberships.get(id_, NO_LABELS)) for id_, row in rows.items()]


def _memberships(tx: Transaction, contact_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Resource names of groups by contact id, of contacts that have any."""
    if not contact_ids:
        return {}
    found: defaultdict[int, list[str]] = defaultdict(list)
    for contact_id, name in MEMBERSHIPS.rows(tx, values=contact_ids):
        found[contact_id].append(name)
    return {contact_id: frozenset(names) for contact_id, names in found.items()}


def known_names(tx: Transaction, user_id: str, names: Collection[str] | None = None) -> dict[str, int]:
    """The id of each of the user's contacts by resource name, or of those with one of these names."""
    given = {} if names is None else {"values": names}
    found = (ALL_NAMES if names is None else BY_NAME).rows(tx, of_user=user_id, **given)
    return {row[1]: row[0] for row in found}


def payloads(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """Google's JSON text by contact id."""
    wanted = list(ids)
    if not wanted:
        return {}
    return {row[0]: row[1] for row in PAYLOADS.rows(tx, values=wanted)}


def count(tx: Transaction, user_id: str) -> int:
    """How many contacts the user has."""
    return tx.execute(select(func.count()).where(contacts.c.user_id == user_id)).scalar_one()


# -- writing contacts


@dataclass(frozen=True, slots=True)
class Ready:
    """Changes with the rows of whom they write: first those who are updated, then those who are new.

    `people` has the values of `WRITTEN` of each; `emails` and `phones` begin with whose they are, counted from 0.
    """

    changes: Changes
    people: Sequence[rows_.Row]
    emails: Sequence[rows_.Row]
    phones: Sequence[rows_.Row]


def ready(changes: Changes) -> Ready:
    """Changes ready to be written: that takes long, above all cutting texts into words, and needs no transaction."""
    people = [*(change.person for change in changes.updates), *changes.inserts]
    lists = [*(change.lists for change in changes.updates), *(True for _ in changes.inserts)]
    listed = list(compress(enumerate(people), lists))
    return Ready(
        changes,
        [(*PLAIN_VALUES(person), words) for person, words in zip(people, _words(people), strict=True)],
        [(n, position, *email) for n, person in listed for position, email in enumerate(person.emails)],
        [(n, position, *phone) for n, person in listed for position, phone in enumerate(person.phones)],
    )


def _words(people: Sequence[Person]) -> list[str]:
    names = [(*NAMES(person), *[email.value for email in person.emails]) for person in people]
    phones = [[(phone.value, phone.canonical) for phone in person.phones] for person in people]
    return search_texts(names, [person.notes for person in people], phones)


def apply(
    tx: Transaction, user_id: str, ready: Ready, now: datetime, *, groups: Mapping[str, int] | None = None
) -> None:
    """Carry out what one page changes. Resource names may swap; labels that aren't stored are left out.

    `groups` are the ids of those that are, by resource name, for who knows them already.
    """
    changes, at = ready.changes, rows_.stamp(tx, now)
    updated = [change.id for change in changes.updates]
    _update(tx, changes.updates, ready.people[: len(updated)], at)
    inserted = _insert(tx, user_id, ready.people[len(updated) :], at)
    ids = [*updated, *inserted] if updated else inserted
    rows_.insert_of(tx, ids, contact_emails, ("contact_id", "position", *Email._fields), ready.emails)
    rows_.insert_of(tx, ids, contact_phones, ("contact_id", "position", *Phone._fields), ready.phones)
    _delete(tx, contact_group_members, contact_group_members.c.contact_id, changes.members)
    new = zip(inserted, changes.inserts, strict=True)
    members = {id_: person.memberships for id_, person in new} | dict(changes.members)
    if members:
        _write_members(tx, members, ids_of(known_groups(tx, user_id)) if groups is None else groups)


def _update(tx: Transaction, changes: Collection[ContactUpdate], people: Iterable[rows_.Row], at: Any) -> None:
    if not changes:
        return
    _move(tx, [change for change in changes if change.moves])
    for table in (contact_emails, contact_phones):
        _delete(tx, table, table.c.contact_id, [change.id for change in changes if change.lists])
    rows = list(zip(changes, people, strict=True))
    for with_words, columns in ((True, slice(len(IDENTITY), None)), (False, slice(len(IDENTITY), len(PLAIN)))):
        fresh = [(at, *row[columns], change.id) for change, row in rows if change.words is with_words]
        rows_.update(tx, contacts, ("synced_at", *WRITTEN[columns]), fresh)


def _move(tx: Transaction, changes: Collection[ContactUpdate]) -> None:
    """Names and source ids, apart from all else: on SQLite to write them costs their indexes, changed or not.

    Rows that get another name step aside first, so that no two meet under one on the way.
    """
    wanted = {change.id: change.person.resource_name for change in changes}
    query = select(contacts.c.id, contacts.c.resource_name).where(rows_.among(contacts.c.id, wanted))
    named = tx.execute(query).all() if wanted else ()
    aside = [(f"moving/{row[0]}", row[0]) for row in named if row[1] != wanted[row[0]]]
    rows_.update(tx, contacts, ["resource_name"], aside)
    rows_.update(tx, contacts, IDENTITY, [(*change.person[: len(IDENTITY)], change.id) for change in changes])


def _insert(tx: Transaction, user_id: str, people: Sequence[rows_.Row], at: Any) -> Sequence[int]:
    """The ids of the new contacts."""
    if not people:
        return ()
    return rows_.insert_new(tx, contacts, {"user_id": user_id, "synced_at": at}, WRITTEN, people)


def _write_members(tx: Transaction, members: Mapping[int, frozenset[str]], groups: Mapping[str, int]) -> None:
    rows = [(groups[name], id_) for id_, names in members.items() for name in sorted(names & groups.keys())]
    rows_.insert(tx, contact_group_members, ("group_id", "contact_id"), rows)


def remove(tx: Transaction, user_id: str, ids: Collection[int]) -> int:
    """Remove contacts of a user; the answer is how many there were."""
    if not ids:
        return 0
    return _delete(tx, contacts, contacts.c.id, sorted(ids), contacts.c.user_id == user_id)


def keep_unreadable(tx: Transaction, user_id: str, payloads_: Collection[str], now: datetime) -> None:
    """What the latest listing held of contacts that can't be read takes the place of what earlier ones did."""
    tx.execute(delete(unreadable_contacts).where(unreadable_contacts.c.user_id == user_id))
    rows = [{"user_id": user_id, "payload": payload, "seen_at": now} for payload in payloads_]
    _execute_many(tx, insert(unreadable_contacts), rows)


def unreadable_counts(tx: Transaction, user_id: str | None = None) -> dict[str, int]:
    """How many contacts of each user (or the given one) can't be read."""
    owner = unreadable_contacts.c.user_id
    by_user = select(owner, func.count()).where(is_of(unreadable_contacts, user_id)).group_by(owner)
    return {row[0]: row[1] for row in tx.execute(by_user)}


# -- groups


def known_groups(tx: Transaction, user_id: str) -> list[KnownGroup]:
    """The user's groups."""
    return [KnownGroup(*row) for row in GROUPS_OF_USER.rows(tx, of_user=user_id)]


def ids_of(groups: Iterable[KnownGroup]) -> dict[str, int]:
    """Their ids by resource name."""
    return {group.resource_name: group.id for group in groups}


def apply_groups(tx: Transaction, user_id: str, changes: GroupChanges, now: datetime) -> None:
    """Carry out what a listing of labels changes. A removed group takes its memberships along."""
    if changes == NOTHING:
        return
    mine = contact_groups.c.user_id == user_id
    _delete(tx, contact_groups, contact_groups.c.id, changes.removals, mine)
    updated = [
        {"of_id": id_, "name": group.name, "group_type": group.group_type, "synced_at": now}
        for id_, group in changes.updates
    ]
    _execute_many(tx, update(contact_groups).where(mine, contact_groups.c.id == bindparam("of_id")), updated)
    inserted = [
        {
            "user_id": user_id,
            "resource_name": group.resource_name,
            "name": group.name,
            "group_type": group.group_type,
            "synced_at": now,
        }
        for group in changes.inserts
    ]
    _execute_many(tx, insert(contact_groups), inserted)


# -- statements


def _execute_many(tx: Transaction, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(statement, rows)


def _delete(
    tx: Transaction,
    table: Table,
    column: ColumnElement[Any],
    values: Iterable[int],
    *also: ColumnElement[bool],
) -> int:
    wanted = list(values)
    return tx.execute(delete(table).where(rows_.among(column, wanted), *also)).rowcount if wanted else 0
