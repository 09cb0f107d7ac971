"""What is in the store before a command is typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from contacts_sync.model import Changes, Run, RunKind, Trigger
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import Database, close, open_database, write
from contacts_sync.store.tables import oauth_tokens
from tests.inside import desk_for, join
from tests.operating import Operator
from tests.store.given import LEASE, claimed, connected, person, queued

__all__ = [
    "LEASE",
    "claimed",
    "connected",
    "failed",
    "joined",
    "now",
    "people",
    "queued",
    "reauth",
    "store",
    "without_tokens",
]


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def store(operator: Operator) -> Iterator[Database]:
    db = open_database(operator.url)
    try:
        yield db
    finally:
        close(db)


def joined(operator: Operator, user: str, *, people: int = 0) -> None:
    """A user connected to an account of the sandbox, with the first full sync queued."""
    email = f"{user}@example.com"
    operator.google.world.add_account(email).add_people(people)
    with store(operator) as db:
        join(desk_for(operator.google, db, operator.home), operator.google, user, email)


def without_tokens(db: Database) -> None:
    """As if nothing had ever been sealed: what `connected` stores opens with no key."""
    with write(db) as tx:
        tx.execute(oauth_tokens.delete())


def reauth(db: Database, *users: str) -> None:
    with write(db) as tx:
        for user in users:
            connections.needs_reauth(tx, user, "the grant was revoked")


def failed(db: Database, user: str, error: str = "PassingTrouble", *, kind: RunKind = RunKind.INCREMENTAL) -> Run:
    """A run of a connected user that has failed just now."""
    with write(db) as tx:
        run, _ = runs.enqueue(tx, user_id=user, kind=kind, trigger=Trigger.SCHEDULE, now=now())
        (mine,) = runs.claim(tx, worker_id="w", now=now(), lease=LEASE, limit=1, run_ids=[run.id])
        return runs.fail(tx, mine, "w", now(), error_type=error, message="it broke", traceback="Traceback\n  line 1")


def people(db: Database, user: str, *given: dict[str, Any]) -> None:
    """Contacts of a user, with the fields given."""
    inserts = tuple(person(number, **fields) for number, fields in enumerate(given))
    with write(db) as tx:
        contacts.apply(tx, user, contacts.ready(Changes(inserts=inserts)), now())
