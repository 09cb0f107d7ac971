"""Contacts as people read them: in lists, by search, one with everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, RowMapping, false, func, or_, select, true

from contacts_sync.export.entry import Entry
from contacts_sync.model import Email, Phone
from contacts_sync.store.chunks import chunks
from contacts_sync.store.search_words import question
from contacts_sync.store.tables import (
    contact_emails,
    contact_group_members,
    contact_groups,
    contact_phones,
    contacts,
)
from contacts_sync.store.transactions import Transaction
from contacts_sync.store.words_index import has_words


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A stored contact. `groups` are the names of its labels, sorted; `payload` is Google's JSON text."""

    id: int
    user_id: str
    resource_name: str
    source_id: str | None
    etag: str | None
    display_name: str | None
    given_name: str | None
    family_name: str | None
    nickname: str | None
    organization: str | None
    job_title: str | None
    birthday: str | None
    notes: str | None
    photo_url: str | None
    payload: str = field(repr=False)
    synced_at: datetime | None
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    groups: tuple[str, ...] = ()


PLAIN = [column.name for column in contacts.c if column.name != "search_text"]
READ = [contacts.c[name] for name in PLAIN]
SEARCHED = ("display_name", "given_name", "family_name", "nickname", "organization", "notes")
UIDS = UUID("6f1a3d0e-8c52-4b8e-9d0a-5f0c7a4e2b11")  # the namespace of the UIDs we give out
MOST_SCANNED = 100_000  # contacts; among more, only beginnings of words are looked for


def listing(tx: Transaction, user_id: str, *, limit: int = 0) -> list[ContactRow]:
    """A user's contacts by name; `limit` 0 means all."""
    return _read(tx, contacts.c.user_id == user_id, limit)


def search(tx: Transaction, text: str, *, user_id: str | None = None, limit: int = 0) -> list[ContactRow]:
    """Contacts, of one user or of all, by name, organization, title, e-mail, phone number, label or note.

    Every word of `text` must begin one of the contact's words, or `text` be a label, or part of a phone number,
    however it is written. Where nothing begins like that, and no more than `MOST_SCANNED` contacts are to be read,
    the text is looked for inside words, too.
    """
    among = contacts.c.user_id == user_id if user_id is not None else true()
    by_words = _read(tx, among & _has_words(tx, text), limit)
    by_label = _read(tx, among & _is_labelled(text), limit)
    found = _together(by_words, by_label, limit)
    if found or not _is_small(tx, among):
        return found
    return _read(tx, among & or_(*_matches(text)), limit)


def _has_words(tx: Transaction, text: str) -> ColumnElement[bool]:
    asked = question(text)
    return has_words(tx, contacts.c.id, asked) if asked.words else false()


def _is_labelled(text: str) -> ColumnElement[bool]:
    labels = select(contact_groups.c.id).where(func.lower(contact_groups.c.name) == text.lower())
    members = contact_group_members.c
    return contacts.c.id.in_(select(members.contact_id).where(members.group_id.in_(labels)))


def _together(some: list[ContactRow], others: list[ContactRow], limit: int) -> list[ContactRow]:
    """Two answers as one. They are asked for apart, since PostgreSQL leaves its indexes aside where there is an OR."""
    if not some or not others:
        return some or others
    by_id = {contact.id: contact for contact in (*some, *others)}
    in_order = sorted(by_id.values(), key=lambda contact: ((contact.display_name or "").lower(), contact.id))
    return in_order[: limit or None]


def _is_small(tx: Transaction, among: ColumnElement[bool]) -> bool:
    some = select(contacts.c.id).where(among).limit(MOST_SCANNED + 1).subquery()
    return tx.execute(select(func.count()).select_from(some)).scalar_one() <= MOST_SCANNED


def show(tx: Transaction, contact_id: int) -> ContactRow | None:
    """The contact with that id."""
    return next(iter(_read(tx, contacts.c.id == contact_id, 1)), None)


def entries(tx: Transaction, user_id: str) -> Iterator[Entry]:
    """A user's contacts for export, each with a UID that stays through merges and renames."""
    labels: dict[str, defaultdict[int, list[str]]] = {"user": defaultdict(list), "system": defaultdict(list)}
    joined = select(contact_group_members.c.contact_id, contact_groups.c.name, contact_groups.c.group_type)
    mine = joined.join(contact_groups).where(contact_groups.c.user_id == user_id).order_by(contact_groups.c.name)
    for contact_id, name, group_type in tx.execute(mine):
        labels[group_type][contact_id].append(name)
    plain = select(contacts.c.id, contacts.c.resource_name, contacts.c.display_name, contacts.c.payload)
    for row in tx.execute(plain.where(contacts.c.user_id == user_id)):
        uid = str(uuid5(UIDS, f"{user_id}/{row.id}"))
        yield Entry(
            uid,
            row.resource_name,
            row.display_name,
            row.payload,
            tuple(labels["user"][row.id]),
            tuple(labels["system"][row.id]),
        )


def _matches(text: str) -> list[ColumnElement[bool]]:
    matches = [_contains(contacts.c[name], text) for name in SEARCHED]
    for values in (contact_emails, contact_phones):
        mine = select(values.c.position).where(values.c.contact_id == contacts.c.id)
        matches.append(mine.where(_contains(values.c.value, text)).exists())
    return matches


def _contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


def _read(tx: Transaction, which: ColumnElement[bool], limit: int) -> list[ContactRow]:
    """In the order of their names. Sorted by id and name alone: payloads would fill the sorter's memory."""
    name = func.lower(func.coalesce(contacts.c.display_name, ""))
    ids = list(
        tx.execute(select(contacts.c.id).where(which).order_by(name, contacts.c.id).limit(limit or None)).scalars()
    )
    rows: dict[int, RowMapping] = {}
    for chunk in chunks(ids):
        rows.update((row["id"], row) for row in tx.execute(select(*READ).where(contacts.c.id.in_(chunk))).mappings())
    return _complete(tx, [rows[id_] for id_ in ids])


def _complete(tx: Transaction, rows: Sequence[RowMapping]) -> list[ContactRow]:
    ids = [row["id"] for row in rows]
    emails, phones, groups = _emails(tx, ids), _phones(tx, ids), _groups(tx, ids)
    return [
        ContactRow(
            **{name: row[name] for name in PLAIN},
            emails=tuple(emails[row["id"]]),
            phones=tuple(phones[row["id"]]),
            groups=tuple(sorted(groups[row["id"]])),
        )
        for row in rows
    ]


def _emails(tx: Transaction, ids: Iterable[int]) -> defaultdict[int, list[Email]]:
    found: defaultdict[int, list[Email]] = defaultdict(list)
    table = contact_emails.c
    for chunk in chunks(ids):
        query = select(contact_emails).where(table.contact_id.in_(chunk)).order_by(table.contact_id, table.position)
        for row in tx.execute(query):
            found[row.contact_id].append(Email(row.value, row.type, row.is_primary))
    return found


def _phones(tx: Transaction, ids: Iterable[int]) -> defaultdict[int, list[Phone]]:
    found: defaultdict[int, list[Phone]] = defaultdict(list)
    table = contact_phones.c
    for chunk in chunks(ids):
        query = select(contact_phones).where(table.contact_id.in_(chunk)).order_by(table.contact_id, table.position)
        for row in tx.execute(query):
            found[row.contact_id].append(Phone(row.value, row.canonical, row.type, row.is_primary))
    return found


def _groups(tx: Transaction, ids: Iterable[int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    joined = select(contact_group_members.c.contact_id, contact_groups.c.name).join(contact_groups)
    for chunk in chunks(ids):
        for contact_id, name in tx.execute(joined.where(contact_group_members.c.contact_id.in_(chunk))):
            found[contact_id].append(name)
    return found
