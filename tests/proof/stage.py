"""Where the proof plays: a home directory with its store, prepared once and laid out anew for every point."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import Thread

import psycopg
import requests
from psycopg import sql

from contacts_sync.sandbox import Sandbox
from contacts_sync.store import dialect
from contacts_sync.store.engine import Database, close
from tests.launcher import Ended, Launched, Launcher
from tests.operating import Operator
from tests.postgres import Server
from tests.proof.wall_clock import WallClock

EMAIL = "alice@example.com"
SETTINGS = {"SYNC__PAGE_SIZE": "10", "SYNC__REQUESTS_PER_MINUTE_PER_USER": "0", "DAEMON__LEASE": "60s"}


@dataclass(frozen=True, slots=True)
class Scene:
    """An operator's home directory and store, and who types there."""

    google: Sandbox
    launcher: Launcher
    home: Path
    url: str
    people: int
    settings: dict[str, str] = field(default_factory=dict)
    clock: WallClock | None = None

    def start(self, *words: str, watched: bool = False, url: str | None = None) -> Launched:
        """Type a command. `url` is another way to the same store."""
        environ = Operator(self.home, self.google, url or self.url, **{**SETTINGS, **self.settings}).environ
        return self.launcher.start(*words, home=self.home, environ=environ, watched=watched, clock=self.clock)

    def run(self, *words: str, code: int = 0) -> Ended:
        """Type a command to its end; its exit code must be `code`."""
        ended = self.finish(words, self.start(*words))
        assert ended.code == code, f"{words} ended with {ended.code}\n{ended.out}\n{ended.err}"
        return ended

    def finish(self, words: tuple[str, ...], launched: Launched) -> Ended:
        """Wait for a command; one that asks for consent gets it."""
        if words[0] == "connect":
            Thread(target=self._consent, args=[launched], daemon=True).start()
        return launched.wait()

    def _consent(self, launched: Launched) -> None:
        """A browser, which doesn't mind that nobody is there any more."""
        with suppress(requests.RequestException, ValueError):
            address = launched.stdout.readline().strip()
            if address:
                requests.get(address, timeout=20)

    def exists(self) -> bool:
        """False for a SQLite store that nobody has made yet."""
        path = dialect.file_of(dialect.parse_url(self.url))
        return path is None or path.exists()

    @contextmanager
    def database(self, *, copied: bool = True) -> Iterator[Database]:
        """The store, to look into. A SQLite store is copied first: the next command must meet what was left."""
        with self._looked_at(copied=copied) as url:
            address = dialect.parse_url(url)
            path = dialect.file_of(address)
            db = Database(dialect.make_engine(address), path, path.stat().st_ino if path else None)
            try:
                yield db
            finally:
                close(db)

    @contextmanager
    def _looked_at(self, *, copied: bool) -> Iterator[str]:
        if not copied or not self.url.startswith("sqlite"):
            yield self.url
            return
        copy = self.home.with_name("looked-at")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.home, copy)
        yield f"sqlite:///{copy}/store.db"


class Prepared:
    """A scene as it stands before the act. `anew` lays it out again, at the same place."""

    def __init__(self, scene: Scene, server: Server | None) -> None:
        self._scene = scene
        self._server = server
        self._kept = scene.home.with_name(f"{scene.home.name}-kept")
        shutil.copytree(scene.home, self._kept)
        self._grants = _grants_of(scene.google)
        self._databases = (f"{_name(scene.url)}_{number}" for number in count(1)) if server else iter(())
        self._last = ""

    def anew(self) -> Scene:
        """The scene, untouched."""
        scene = self._scene
        shutil.rmtree(scene.home)
        shutil.copytree(self._kept, scene.home)
        scene.google.faults.clear()
        _give_back(scene.google, self._grants)
        if self._server is None:
            return scene
        return replace(scene, url=self._copied(self._server))

    def _copied(self, server: Server) -> str:
        name = next(self._databases)
        if self._last:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._last)))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(statement.format(sql.Identifier(name), sql.Identifier(_name(self._scene.url))))
        self._last = name
        return server.url(name)


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _grants_of(google: Sandbox) -> tuple[dict[str, object], ...]:
    grants = google.world.grants
    return dict(grants._access), dict(grants._refresh)


def _give_back(google: Sandbox, kept: tuple[dict[str, object], ...]) -> None:
    """What one point refreshed or revoked is as before for the next one."""
    access, refresh = kept
    google.world.grants._access = dict(access)  # type: ignore[arg-type]  # as it was taken from there
    google.world.grants._refresh = dict(refresh)  # type: ignore[arg-type]  # likewise


def quiet(url: str, *, seconds: float = 20) -> None:
    """Wait until a PostgreSQL server has noticed that whoever used this database is gone."""
    if url.startswith("sqlite"):
        return
    until = time.monotonic() + seconds
    with psycopg.connect(url.replace("+psycopg", "").replace(_name(url), "postgres"), autocommit=True) as watcher:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        while watcher.execute(query, [_name(url)]).fetchone() != (0,):
            assert time.monotonic() < until, "the server keeps a session of a killed process"
            time.sleep(0.005)
