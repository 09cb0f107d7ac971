"""Syncs from inside the process: a real desk, a real store, the sandbox over real HTTP, no command line."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from contacts_sync import config, vault
from contacts_sync.daemon.workers import new_worker_id
from contacts_sync.google import oauth
from contacts_sync.model import Outcome, Run, RunKind, Trigger
from contacts_sync.sandbox import Sandbox
from contacts_sync.store import runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.sync.connecting import connect
from contacts_sync.sync.desk import Desk, open_desk
from contacts_sync.sync.run import carry_out
from tests.google.given import granted


def now() -> datetime:
    return datetime.now(UTC)


def desk_for(google: Sandbox, db: Database, home: Path, **settings: str) -> Desk:
    """A desk with quick retries; `settings` are environment names without their prefix."""
    key = home / "key"
    if not key.exists():
        vault.write_key_file(key)
    environ = {
        "CONTACTS_SYNC_SECRETS__KEY_FILE": str(key),
        "CONTACTS_SYNC_GOOGLE__CLIENT_ID": google.client_id,
        "CONTACTS_SYNC_GOOGLE__CLIENT_SECRET": google.client_secret,
        "CONTACTS_SYNC_SYNC__BACKOFF": "0s,0s",
        "CONTACTS_SYNC_SYNC__REQUESTS_PER_MINUTE_PER_USER": "0",
        "CONTACTS_SYNC_SYNC__READ_TIMEOUT": "5s",
        **{f"CONTACTS_SYNC_GOOGLE__ENDPOINTS__{name.upper()}": to for name, to in google.endpoints.items()},
        **{f"CONTACTS_SYNC_{name}": value for name, value in settings.items()},
    }
    return open_desk(
        config.load(None, environ=environ), db, worker_id=new_worker_id(), clock=now, stop=threading.Event()
    )


def join(desk: Desk, google: Sandbox, user: str, email: str, *, switch_account: bool = False) -> Run:
    """Connect a user with the sandbox's consent; the answer is the queued full run."""
    google.consent.account = email
    grant = granted(desk.transport, desk.oauth, now=now())
    account = oauth.account(desk.transport, desk.oauth, grant)
    return connect(desk, user_id=user, grant=grant, account=account, schedule=None, switch_account=switch_account)


def sync(desk: Desk, user: str, *, full: bool = False) -> Outcome:
    """Queue a run (or take the queued one), claim it and carry it out."""
    kind = RunKind.FULL if full else RunKind.INCREMENTAL
    with write(desk.db) as tx:
        run, _ = runs.enqueue(tx, user_id=user, kind=kind, trigger=Trigger.MANUAL, now=now())
    with write(desk.db) as tx:
        claimed = runs.claim(tx, worker_id=desk.worker_id, now=now(), lease=desk.lease, limit=1, run_ids=[run.id])
    assert claimed, f"run {run.id} could not be claimed: {run}"
    return carry_out(claimed[0], desk)


def rows(db: Database, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """What an application reads."""
    with read(db) as tx:
        return [tuple(row) for row in tx.execute(text(sql), values)]


def copy_of(db: Database, user: str) -> dict[str, Any]:
    """The user's copy, as an application sees it: people with their e-mails, labels, memberships."""
    people = rows(db, "SELECT resource_name, given_name, id FROM contacts WHERE user_id = :user", user=user)
    emails = rows(
        db,
        "SELECT c.resource_name, e.value FROM contact_emails e JOIN contacts c ON c.id = e.contact_id"
        " WHERE c.user_id = :user ORDER BY c.resource_name, e.position",
        user=user,
    )
    labels = rows(db, "SELECT resource_name, name FROM contact_groups WHERE user_id = :user", user=user)
    members = rows(
        db,
        "SELECT c.resource_name, g.resource_name FROM contact_group_members m"
        " JOIN contacts c ON c.id = m.contact_id JOIN contact_groups g ON g.id = m.group_id"
        " WHERE c.user_id = :user",
        user=user,
    )
    return {
        "people": {name: given for name, given, _ in people},
        "emails": sorted(emails),
        "labels": dict(labels),
        "members": set(members),
    }


def world_of(google: Sandbox, email: str) -> dict[str, Any]:
    """The same of the sandbox's account."""
    account = google.world.account(email)
    people: Mapping[str, Any] = account.people()
    return {
        "people": {name: person.get("names", [{}])[0].get("givenName") for name, person in people.items()},
        "emails": sorted(
            (name, email["value"]) for name, person in people.items() for email in person.get("emailAddresses", [])
        ),
        "labels": {name: group["name"] for name, group in account.labels().items()},
        "members": set(account.memberships()),
    }
