"""Daemons before very many users: how a fleet that is due at once is drained, and what a daemon costs."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec

from contacts_sync import vault
from contacts_sync.google.people import PeopleClient, request_fingerprint
from contacts_sync.sync.desk import open_transport_for
from tests.benchmarks import product
from tests.benchmarks.persons import groups
from tests.benchmarks.population import settle
from tests.benchmarks.processes import Cost

THREADS = 128
LATENCY_MS = 100
SECONDS_A_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Drained:
    """How a fleet was drained: the cost of it all, and by how many places a run was started too early at most."""

    cost: Cost
    succeeded: int
    out_of_turn: int


def labels() -> list[tuple[str, str, str]]:
    """The labels that the pre-rendered Google shows everybody, as the store keeps them."""
    types = {"USER_CONTACT_GROUP": "user", "SYSTEM_CONTACT_GROUP": "system"}
    listed = msgspec.json.decode(groups())["contactGroups"]
    return [(one["resourceName"], one["name"], types[one["groupType"]]) for one in listed]


def settled(
    home: Path, base_url: str, store_url: str, users: int, *, due: bool = False, **settings: str
) -> product.Installation:
    """A fresh store whose users were synced a day ago; `due`: all of them have missed a slot since."""
    made = product.install(home, base_url, store_url, users=(), **settings)
    with product.opened(made) as db:
        keys = vault.current_keys(home / "key")
        settle(db, keys, users, product.now(), fingerprint=_fingerprint(made), labels=labels(), due=due)
    return made


def _fingerprint(installation: product.Installation) -> str:
    loaded = installation.config
    transport = open_transport_for(loaded, threading.Event())
    return request_fingerprint(PeopleClient(transport, "", loaded.sync.page_size))


@contextmanager
def daemon(installation: product.Installation) -> Iterator[tuple[int, float]]:
    """A running daemon's process id, and the seconds until it was ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, (installation.home / "log").open("w") as log:
        address = installation.home / f"notify-{time.monotonic_ns()}"
        channel.bind(str(address))
        channel.settimeout(300)
        began = time.perf_counter()
        environ = {**installation.environ, "NOTIFY_SOCKET": str(address)}
        process = subprocess.Popen([sys.executable, "-m", "contacts_sync", "daemon"], env=environ, stderr=log)
        try:
            while b"READY=1" not in channel.recv(4096):
                pass
            ready = time.perf_counter() - began
            threading.Thread(target=_read_on, args=(channel,), daemon=True).start()
            yield process.pid, ready
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            address.unlink()


def _read_on(channel: socket.socket) -> None:
    """As systemd does: a daemon waits for who doesn't listen."""
    with suppress(OSError):
        while True:
            channel.recv(4096)


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Memory that a process has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def drained(home: Path, base_url: str, users: int) -> Drained:
    """Let a daemon catch up with everybody, from the first run's start to the last one's end."""
    made = settled(home, base_url, f"sqlite:///{home}/store.db", users, due=True, SYNC__WORKERS=str(THREADS))
    with daemon(made) as (pid, _ready), closing(_reader(home)) as db:
        before = cpu_seconds(pid)
        while db.execute("SELECT 1 FROM sync_runs WHERE status IN ('queued', 'running') LIMIT 1").fetchone():
            time.sleep(SECONDS_A_LOOK)
        computed = cpu_seconds(pid) - before
        peak = memory_mb(pid)
        query = "SELECT {} FROM sync_runs WHERE trigger = 'catch_up' AND status = 'succeeded'"
        seconds, succeeded = db.execute(
            query.format("(julianday(max(finished_at)) - julianday(min(started_at))) * 86400, count(*)")
        ).fetchone()
        turns = [row[0] for row in db.execute(query.format("id") + " ORDER BY started_at, id")]
    out_of_turn = max((at - place for place, at in zip(count(), _ranks(turns), strict=False)), default=0)
    return Drained(Cost(seconds, computed, peak), succeeded, out_of_turn)


def _ranks(ids: list[int]) -> list[int]:
    place = {id_: n for n, id_ in enumerate(sorted(ids))}
    return [place[id_] for id_ in ids]


def _reader(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True, isolation_level=None)


def by_limit(folder: Path, base_url: str, users: int) -> Cost:
    """The limit, drained by a process of its own."""
    file = folder / f"limit-{time.monotonic_ns()}.db"
    words = ["-m", "tests.benchmarks.fleet_limit", base_url, str(file), str(users), str(THREADS)]
    said = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
    seconds, computed = json.loads(said)
    return Cost(seconds, computed)
