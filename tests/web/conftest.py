"""The real server over loopback HTTP, on a store that tests fill; no daemon turns its loop here."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from contacts_sync import config, vault
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.store.engine import Database, close, open_database
from contacts_sync.sync.desk import open_desk
from contacts_sync.web.app import application
from contacts_sync.web.look import Watched
from contacts_sync.web.server import serving
from tests.operating import wait_until


@dataclass(frozen=True)
class Site:
    """A served store. `get` is what a browser without JavaScript does."""

    url: str
    db: Database
    pulse: Pulse
    watched: Watched
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str = "/", **headers: str) -> requests.Response:
        return self.session.get(self.url + path, headers=headers, timeout=20)


def now() -> datetime:
    return datetime.now(UTC)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def served(db: Database, store_url: str, home: Path, **settings: str) -> Iterator[Site]:
    key, port = home / "key", free_port()
    if not key.exists():
        vault.write_key_file(key)
    environ = {
        "DATABASE__URL": store_url,
        "SECRETS__KEY_FILE": str(key),
        "WEB__LISTEN": f"127.0.0.1:{port}",
        **settings,
    }
    loaded = config.load(None, environ={f"CONTACTS_SYNC_{name}": value for name, value in environ.items()})
    desk = open_desk(loaded, db, worker_id="w", clock=now, stop=threading.Event())
    watched = Watched(lambda: loaded, Pulse(), desk)
    watched.pulse.reconciled = True
    assert loaded.web.listen
    with serving(loaded.web.listen, lambda: application(watched)):
        site = Site(f"http://127.0.0.1:{port}", db, watched.pulse, watched)
        wait_until(lambda: _answers(site))
        yield site
        site.session.close()


def _answers(site: Site) -> bool:
    try:
        return site.get("/healthz").ok
    except requests.ConnectionError:
        return False


Serve = Callable[..., AbstractContextManager[Site]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """To serve a SQLite store with settings of the test's own."""
    url = f"sqlite:///{tmp_path}/store.db"
    db = open_database(url, create=True)
    yield lambda **settings: served(db, url, tmp_path, **settings)
    close(db)


@pytest.fixture
def site(serve: Serve) -> Iterator[Site]:
    """A served SQLite store: where the database makes no difference."""
    with serve() as found:
        yield found


@pytest.fixture
def either(db: Database, store_url: str, tmp_path: Path) -> Iterator[Site]:
    """A served store on each of the two databases."""
    with served(db, store_url, tmp_path) as found:
        yield found
