"""The index of `contacts.search_text`: each database's own full-text search, FTS5 or GIN, over words we have cut."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, cast, literal_column, text

from contacts_sync.store.dialect import is_server, postgresql_dialect
from contacts_sync.store.search_words import Question

WORDS_SQLITE = (
    # One row a contact, without a copy of its text; the triggers keep it in step, whoever writes.
    """CREATE VIRTUAL TABLE contact_search USING fts5(
        search_text, content='contacts', content_rowid='id', tokenize='ascii', detail=none, columnsize=0)""",
    """CREATE TRIGGER contact_search_insert AFTER INSERT ON contacts BEGIN
        INSERT INTO contact_search (rowid, search_text) VALUES (new.id, new.search_text); END""",
    """CREATE TRIGGER contact_search_update AFTER UPDATE OF search_text ON contacts BEGIN
        INSERT INTO contact_search (contact_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
        INSERT INTO contact_search (rowid, search_text) VALUES (new.id, new.search_text); END""",
    """CREATE TRIGGER contact_search_delete AFTER DELETE ON contacts BEGIN
        INSERT INTO contact_search (contact_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);
        END""",
    "INSERT INTO contact_search (contact_search) VALUES ('rebuild')",
)
WORDS = "array_to_tsvector(string_to_array(contacts.search_text, ' '))"
WORDS_POSTGRESQL = (f"CREATE INDEX ix_contacts_search_text ON contacts USING gin ({WORDS})",)


def index_words(tx: Connection) -> None:
    """Have the database index the words of `contacts.search_text`, those that are there and all that come."""
    for statement in WORDS_POSTGRESQL if is_server(tx.dialect) else WORDS_SQLITE:
        tx.exec_driver_sql(statement)


def has_words(tx: Connection, id_: ColumnElement[int], question: Question) -> ColumnElement[bool]:
    """True for contacts whose words answer a question, by the index. `id_` is the contacts' id."""
    if is_server(tx.dialect):
        words: ColumnElement[Any] = literal_column(WORDS)  # to the letter: no parameter matches an expression index
        return words.bool_op("@@")(cast(_asked(question, "'{}':*", " & ", " | "), postgresql_dialect().TSQUERY))
    found = text("SELECT rowid FROM contact_search WHERE contact_search MATCH :asked")
    return id_.in_(found.bindparams(asked=_asked(question, '"{}"*', " AND ", " OR ")).columns(rowid=Integer))


def _asked(question: Question, begins: str, both: str, either: str) -> str:
    """A question in the words of a database's full-text search. Words are letters and digits: nothing to quote."""
    every = both.join(begins.format(word) for word in question.words)
    return either.join([f"({every})", *(begins.format(number) for number in question.numbers)])
