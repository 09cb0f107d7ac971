"""Contacts carry the words they are searched by, indexed by the database's own full-text search."""

from __future__ import annotations

from collections import defaultdict

from alembic import op
from sqlalchemy import Column, Connection, MetaData, Table, Text, bindparam, select, text

from contacts_sync.store.columns import ID
from contacts_sync.store.search_words import search_texts
from contacts_sync.store.words_index import index_words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AT_ONCE = 1000
NAMES = ("display_name", "given_name", "family_name", "nickname", "organization", "job_title")

contacts = Table(
    "contacts",
    MetaData(),
    Column("id", ID, primary_key=True),
    *(Column(name, Text) for name in (*NAMES, "notes", "search_text")),
)
emails = Table("contact_emails", contacts.metadata, Column("contact_id", ID), Column("value", Text))
phones = Table(
    "contact_phones", contacts.metadata, Column("contact_id", ID), Column("value", Text), Column("canonical", Text)
)


def upgrade() -> None:
    """Add the words, find those of the contacts that are there, then index them at one go."""
    op.add_column("contacts", Column("search_text", Text, nullable=False, server_default=text("''")))
    _find_words(op.get_bind())
    index_words(op.get_bind())


def _find_words(tx: Connection) -> None:
    last = 0
    while rows := tx.execute(select(contacts).where(contacts.c.id > last).order_by(contacts.c.id).limit(AT_ONCE)).all():
        first, last = rows[0].id, rows[-1].id
        mails: defaultdict[int, list[str]] = defaultdict(list)
        for id_, value in tx.execute(select(emails).where(emails.c.contact_id.between(first, last))):
            mails[id_].append(value)
        numbers: defaultdict[int, list[tuple[str, str | None]]] = defaultdict(list)
        for id_, value, canonical in tx.execute(select(phones).where(phones.c.contact_id.between(first, last))):
            numbers[id_].append((value, canonical))
        names = [(*(getattr(row, name) for name in NAMES), *mails[row.id]) for row in rows]
        texts = search_texts(names, [row.notes for row in rows], [numbers[row.id] for row in rows])
        words = [{"of_id": row.id, "words": text} for row, text in zip(rows, texts, strict=True)]
        tx.execute(
            contacts.update().where(contacts.c.id == bindparam("of_id")).values(search_text=bindparam("words")), words
        )
