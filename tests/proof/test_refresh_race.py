"""However many workers of however many processes want a user's token at once: each expiry is one refresh."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from contacts_sync.store.engine import close, open_database
from tests.inside import desk_for, join, rows, sync
from tests.proof.conftest import Say
from tests.proof.racers import WORKERS

PROCESSES = 2
QUICK, WHOLE = 10, 200  # rounds
EMAIL = "alice@example.com"


class Racers:
    """A process of eight workers."""

    def __init__(self, arguments: str) -> None:
        command = [sys.executable, "-m", "tests.proof.racers", arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def claimed(self) -> int:
        """How many runs they claimed in the round."""
        assert self.process.stdout
        return int(self.process.stdout.readline())


@pytest.fixture
def racers(store_url: str, tmp_path: Path, google: Sandbox) -> Iterator[list[Racers]]:
    connected(store_url, tmp_path, google)
    known = {"client_id": google.client_id, "client_secret": google.client_secret, "endpoints": dict(google.endpoints)}
    arguments = json.dumps({"url": store_url, "home": str(tmp_path), "google": known})
    started = [Racers(arguments) for _ in range(PROCESSES)]
    yield started
    for one in started:
        out, _ = one.process.communicate(timeout=60)
        assert (one.process.returncode, out) == (0, "")


def connected(store_url: str, tmp_path: Path, google: Sandbox) -> None:
    google.world.add_account(EMAIL).add_people(3)
    db = open_database(store_url, create=True)
    desk = desk_for(google, db, tmp_path)
    join(desk, google, "alice", EMAIL)
    sync(desk, "alice")
    close(db)


def test_each_expiry_is_one_refresh(
    racers: list[Racers], store_url: str, google: Sandbox, whole: bool, say: Say
) -> None:
    before, claimed, rounds = google.count("token"), 0, WHOLE if whole else QUICK
    for number in range(1, rounds + 1):
        google.world.account(EMAIL).expire_access_tokens()
        for one in racers:
            one.start()
        claimed += sum(one.claimed() for one in racers)
        assert google.count("token") - before == number
    db = open_database(store_url)
    assert rows(db, "SELECT DISTINCT status FROM sync_runs") == [("succeeded",)]
    assert rows(db, "SELECT status FROM connections") == [("connected",)]
    assert rows(db, "SELECT count(*) FROM sync_runs") == [(claimed + 1,)]
    close(db)
    database = "SQLite" if store_url.startswith("sqlite") else "PostgreSQL"
    workers = f"{PROCESSES} processes x {WORKERS} workers"
    say(f"refresh race, {database}: {workers}, {rounds} rounds = {rounds} refreshes, {claimed} runs")
