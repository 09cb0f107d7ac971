"""The same few words at the start of most store tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contacts_sync.model import Account, Changes, Person, Run, RunKind, Trigger
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import Database, read, write

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)


def connected(db: Database, *users: str, now: datetime = NOW) -> None:
    with write(db) as tx:
        for user in users:
            account = Account(sub=f"sub-{user}", email=f"{user}@example.com")
            connections.connect(tx, user_id=user, account=account, sealed=f"sealed-{user}", schedule=None, now=now)


def queued(db: Database, user: str, now: datetime = NOW, **more: Any) -> Run:
    settings = {"kind": RunKind.INCREMENTAL, "trigger": Trigger.MANUAL, **more}
    with write(db) as tx:
        run, _ = runs.enqueue(tx, user_id=user, now=now, **settings)
    return run


def claimed(db: Database, worker: str = "w1", now: datetime = NOW, *, limit: int = 100, **more: Any) -> list[Run]:
    with write(db) as tx:
        return runs.claim(tx, worker_id=worker, now=now, lease=LEASE, limit=limit, **more)


def running(db: Database, user: str = "alice", worker: str = "w1", now: datetime = NOW, **more: Any) -> Run:
    """A claimed run of a connected user."""
    connected(db, user, now=now)
    queued(db, user, now, **more)
    (run,) = claimed(db, worker, now)
    return run


def now_of(db: Database, run: Run) -> Run:
    with read(db) as tx:
        return runs.require(tx, run.id)


def person(number: int, **more: Any) -> Person:
    settings: dict[str, Any] = {
        "resource_name": f"people/c{number}",
        "source_id": f"s{number}",
        "etag": f"e{number}",
        "payload": f'{{"number": {number}}}',
        "display_name": f"Person {number}",
        **more,
    }
    return Person(**settings)


def stored(db: Database, user: str, *people: Person) -> dict[str, int]:
    """Insert people; the answer is their ids by resource name."""
    with write(db) as tx:
        contacts.apply(tx, user, contacts.ready(Changes(inserts=people)), NOW)
        return contacts.known_names(tx, user)
