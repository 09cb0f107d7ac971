"""The product with users who are connected already, in front of the pre-rendered Google."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contacts_sync import config, vault
from contacts_sync.daemon.workers import new_worker_id
from contacts_sync.model import Account, Grant, RunKind, Trigger
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import Database, close, open_database, write
from contacts_sync.sync.desk import Desk, open_desk
from tests.benchmarks.processes import Cost, process_cost

USER = "bench"


@dataclass(frozen=True, slots=True)
class Installation:
    """A store, a key and settings, as environment variables; everything on disk lies in `home`."""

    home: Path
    environ: dict[str, str]

    @property
    def config(self) -> config.Config:
        """The effective configuration."""
        return config.load(None, environ=self.environ)

    def run_now(self, *words: str) -> Cost:
        """`contacts-sync run-now` to its end, as a process of its own."""
        return process_cost([sys.executable, "-m", "contacts_sync", "run-now", *words], self.environ)


def install(home: Path, base_url: str, store_url: str, users: Sequence[str] = (USER,), **settings: str) -> Installation:
    """A fresh store in which these users have given consent just now; `settings` as in the environment."""
    home.mkdir(parents=True, exist_ok=True)
    given = {
        "DATABASE__URL": store_url,
        "SECRETS__KEY_FILE": str(home / "key"),
        "GOOGLE__CLIENT_ID": "bench",
        "GOOGLE__CLIENT_SECRET": "bench",
        "GOOGLE__ENDPOINTS__TOKEN": f"{base_url}/token",
        "GOOGLE__ENDPOINTS__PEOPLE": base_url,
        "SYNC__REQUESTS_PER_MINUTE_PER_USER": "0",
        "WEB__LISTEN": "",
        **settings,
    }
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    made = Installation(home, kept | {f"CONTACTS_SYNC_{name}": value for name, value in given.items()})
    if not (home / "key").exists():
        vault.write_key_file(home / "key")
    with opened(made) as db:
        _connect(db, vault.current_keys(home / "key"), users)
    return made


@contextmanager
def opened(installation: Installation) -> Iterator[Database]:
    """The installation's open store."""
    db = open_database(installation.config.database.url, create=True)
    try:
        yield db
    finally:
        close(db)


def desk_for(installation: Installation, db: Database) -> Desk:
    """What a daemon's workers have on their desk."""
    return open_desk(installation.config, db, worker_id=new_worker_id(), clock=now, stop=threading.Event())


def queue(db: Database, user: str = USER, kind: RunKind = RunKind.INCREMENTAL) -> None:
    """Queue a run, as a schedule does."""
    with write(db) as tx:
        runs.enqueue(tx, user_id=user, kind=kind, trigger=Trigger.SCHEDULE, now=now())


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def _connect(db: Database, keys: vault.Vault, users: Sequence[str]) -> None:
    grant = Grant("ya29.bench", "1//bench", now() + timedelta(hours=1), ())
    with write(db, durable=True) as tx:
        for user in users:
            account = Account(f"sub-{user}", f"{user}@example.com")
            sealed = vault.seal_grant(keys, user, grant)
            connections.connect(tx, user_id=user, account=account, sealed=sealed, schedule=None, now=now())
