"""The least that Python has to do to bring an address book into a database: what the product is measured against.

Requests, one decode a page, rows handed to the driver as they are, one transaction a page. It knows one account and
believes everything: no labels' members, no search, no merges, no retries, no fence, no history, no encryption.

Run it as `python -m tests.benchmarks.limit BASE_URL STORE`; a store that knows a sync token gets what has changed.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Protocol

import msgspec
import requests

FIELDS = "names,emailAddresses,phoneNumbers,organizations,memberships,metadata"
PAGE = {"personFields": FIELDS, "pageSize": "1000", "requestSyncToken": "true", "sources": "READ_SOURCE_TYPE_CONTACT"}
HEADERS = {"Authorization": "Bearer ya29.bench"}
TABLES = """
CREATE TABLE IF NOT EXISTS contacts (id INTEGER PRIMARY KEY, resource_name TEXT NOT NULL UNIQUE, etag TEXT,
    display_name TEXT, given_name TEXT, family_name TEXT, organization TEXT, payload {json} NOT NULL);
CREATE TABLE IF NOT EXISTS emails (contact_id INTEGER NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (contact_id, position));
CREATE TABLE IF NOT EXISTS phones (contact_id INTEGER NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL,
    canonical TEXT, PRIMARY KEY (contact_id, position));
CREATE TABLE IF NOT EXISTS state (sync_token TEXT NOT NULL)"""
COLUMNS = {
    "contacts": "id, resource_name, etag, display_name, given_name, family_name, organization, payload",
    "emails": "contact_id, position, value",
    "phones": "contact_id, position, value, canonical",
}


class _Struct(msgspec.Struct, rename="camel"):
    pass


class _Value(_Struct):
    value: str = ""
    canonical_form: str | None = None


class _Name(_Struct):
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class _Organization(_Struct):
    name: str | None = None


class _Person(_Struct):
    resource_name: str
    etag: str
    names: list[_Name] = []
    email_addresses: list[_Value] = []
    phone_numbers: list[_Value] = []
    organizations: list[_Organization] = []


class _Page(_Struct):
    connections: list[msgspec.Raw] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None


Row = tuple[Any, ...]
PERSON = msgspec.json.Decoder(_Person)
PAGES = msgspec.json.Decoder(_Page)


class Store(Protocol):
    """A database, by its driver."""

    def sync_token(self) -> str | None: ...
    def known(self) -> dict[str, int]: ...
    def write(self, tables: dict[str, list[Row]], stale: Sequence[int], sync_token: str | None) -> None: ...


class SqliteStore:
    """A file."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; {TABLES.format(json='TEXT')}")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def sync_token(self) -> str | None:
        row = self._db.execute("SELECT sync_token FROM state").fetchone()
        return row[0] if row else None

    def known(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT resource_name, id FROM contacts"))

    def write(self, tables: dict[str, list[Row]], stale: Sequence[int], sync_token: str | None) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for table, column in (("contacts", "id"), ("emails", "contact_id"), ("phones", "contact_id")):
            if stale:
                self._db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(id_,) for id_ in stale])
            marks = ", ".join("?" * len(COLUMNS[table].split(",")))
            self._db.executemany(f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({marks})", tables[table])
        if sync_token is not None:
            self._db.execute("DELETE FROM state")
            self._db.execute("INSERT INTO state VALUES (?)", (sync_token,))
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


class PostgresqlStore:
    """A server, written to by COPY."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._db = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        for statement in TABLES.format(json="JSONB").split(";"):
            self._db.execute(statement)

    def sync_token(self) -> str | None:
        row = self._db.execute("SELECT sync_token FROM state").fetchone()
        return row[0] if row else None

    def known(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT resource_name, id FROM contacts").fetchall())

    def write(self, tables: dict[str, list[Row]], stale: Sequence[int], sync_token: str | None) -> None:
        with self._db.transaction(), self._db.cursor() as cursor:
            for table, column in (("contacts", "id"), ("emails", "contact_id"), ("phones", "contact_id")):
                if stale:
                    cursor.execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", (list(stale),))
                if tables[table]:
                    with cursor.copy(f"COPY {table} ({COLUMNS[table]}) FROM STDIN") as copy:
                        for row in tables[table]:
                            copy.write_row(row)
            if sync_token is not None:
                cursor.execute("DELETE FROM state")
                cursor.execute("INSERT INTO state VALUES (%s)", (sync_token,))

    def close(self) -> None:
        self._db.close()


def open_store(url: str) -> SqliteStore | PostgresqlStore:
    """The store at `sqlite:////path` or `postgresql://…`; made if it is missing."""
    return SqliteStore(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else PostgresqlStore(url)


def new_session() -> requests.Session:
    """A session that doesn't look at its environment."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update(HEADERS)
    return session


def sync(session: requests.Session, base_url: str, store: Store) -> int:
    """Bring the store up to date; the answer is how many contacts were written."""
    token = store.sync_token()
    session.get(f"{base_url}/v1/contactGroups", params={"pageSize": "1000"}, timeout=60).raise_for_status()
    params = PAGE | ({"syncToken": token} if token is not None else {})
    known: dict[str, int] | None = {} if token is None else None
    written = 0
    while True:
        answer = session.get(f"{base_url}/v1/people/me/connections", params=params, timeout=60)
        page = PAGES.decode(answer.content)
        if known is None:
            known = store.known() if page.connections else {}
        written += len(page.connections)
        store.write(*_rows(page, known), page.next_sync_token)
        if page.next_page_token is None:
            return written
        params = params | {"pageToken": page.next_page_token}


def _rows(page: _Page, known: dict[str, int]) -> tuple[dict[str, list[Row]], list[int]]:
    """The rows of each table, and the ids that they take the place of."""
    rows: dict[str, list[Row]] = {"contacts": [], "emails": [], "phones": []}
    stale = []
    for raw in page.connections:
        person = PERSON.decode(raw)
        id_ = known.get(person.resource_name)
        if id_ is None:
            id_ = known[person.resource_name] = len(known) + 1
        else:
            stale.append(id_)
        name = person.names[0] if person.names else _Name()
        organization = person.organizations[0].name if person.organizations else None
        names = (name.display_name, name.given_name, name.family_name, organization)
        rows["contacts"].append((id_, person.resource_name, person.etag, *names, str(raw, "utf-8")))
        rows["emails"] += [(id_, position, one.value) for position, one in enumerate(person.email_addresses)]
        rows["phones"] += [
            (id_, position, one.value, one.canonical_form) for position, one in enumerate(person.phone_numbers)
        ]
    return rows, stale


def main() -> None:
    """One sync, as a whole process."""
    base_url, url = sys.argv[1:]
    with new_session() as session, closing(open_store(url)) as store:
        print(sync(session, base_url, store))


if __name__ == "__main__":
    main()
