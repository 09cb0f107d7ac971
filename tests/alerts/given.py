"""Words that the tests of alerts share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contacts_sync import config
from contacts_sync.alerts.rules import Manners
from contacts_sync.config import Config
from contacts_sync.model import Run, RunKind, Trigger
from contacts_sync.store import runs
from contacts_sync.store.alerts import Story
from contacts_sync.store.engine import Database, Transaction, write
from tests.store.given import LEASE

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MANNERS = Manners(group_wait=timedelta(0), remind=(6 * HOUR, 24 * HOUR), recovered_after=10 * MINUTE)


def story(key: str = "PassingTrouble", users: int = 1, **more: Any) -> Story:
    facts = {
        "title": "Google or the network failed",
        "error_type": key,
        "blame": "Google or the network",
        "detail": "Google answered 503",
        "example": "alice",
        "command": "contacts-sync run-now --failed",
        **more,
    }
    return Story(key=key, users=users, **facts)


def configured(store_url: str, **settings: str) -> Config:
    """A configuration; `settings` are environment names without their prefix."""
    environ: Mapping[str, str] = {
        "DATABASE__URL": store_url,
        "ALERTS__ALLOW_HOSTS": "127.0.0.1",
        "ALERTS__GROUP_WAIT": "0s",
        **settings,
    }
    return config.load(None, environ={f"CONTACTS_SYNC_{name}": value for name, value in environ.items()})


def fails(db: Database, user: str, now: datetime, error: str = "PassingTrouble", message: str = "it broke") -> None:
    """A run of a connected user that ends now."""
    _end(db, user, now, lambda tx, run: runs.fail(tx, run, "w", now, error_type=error, message=message, traceback=""))


def succeeds(db: Database, user: str, now: datetime) -> None:
    """The same, well."""

    def end(tx: Transaction, run: Run) -> None:
        runs.succeed(tx, run, "w", now, contacts_sync_token="c", groups_sync_token="g", fingerprint="f")

    _end(db, user, now, end)


def _end(db: Database, user: str, now: datetime, end: Any) -> None:
    with write(db) as tx:
        run, _ = runs.enqueue(tx, user_id=user, kind=RunKind.INCREMENTAL, trigger=Trigger.SCHEDULE, now=now)
        (mine,) = runs.claim(tx, worker_id="w", now=now, lease=LEASE, limit=1, run_ids=[run.id])
        end(tx, mine)
