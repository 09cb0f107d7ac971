"""Hours of bad weather: one request in twenty fails, PostgreSQL restarts again and again, and in the end all is as it should be."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.sandbox.faults import Fault
from contacts_sync.store.engine import close, open_database
from tests.inside import copy_of, desk_for, join, world_of
from tests.launcher import Launcher
from tests.operating import Operator
from tests.postgres import Server, serve
from tests.proof.conftest import Say

QUICK, WHOLE = (6, 180), (100, 7200)  # users, seconds
LULL = (3, 38)  # seconds between two restarts of the server, by chance
WARM = 0.1  # the share of the time after which a daemon has met all kinds of weather
GROWTH_KB = 16 * 1024
SHARE = 0.05
WEATHER: tuple[Fault, ...] = (
    *(faults.internal_error(), faults.unavailable(), faults.bad_gateway(), faults.reset(), faults.truncated()),
    *(faults.gzip_cut(), faults.too_many_requests("1"), faults.unauthenticated()),
)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """One that may be restarted without disturbing other tests."""
    with serve() as server:
        yield server


@pytest.fixture
def operator(tmp_path: Path, google: Sandbox, own_server: Server, launcher: Launcher) -> Operator:
    quick = {"DAEMON__LEASE": "5s", "SYNC__BACKOFF": "100ms,200ms"}
    return Operator(tmp_path, google, own_server.new_database(), launcher, **quick)


@pytest.mark.timeout(900)
def test_after_bad_weather_everybody_converges(operator: Operator, own_server: Server, whole: bool, say: Say) -> None:
    number, seconds = WHOLE if whole else QUICK
    operator.init()
    users = [f"user{n}" for n in range(number)]
    connect_all(operator, users)
    with operator.daemon() as daemon:
        restarts = weather(operator, own_server, users, seconds * WARM)
        before = sizes(daemon.pid)
        restarts += weather(operator, own_server, users, seconds * (1 - WARM))
        operator.google.faults.clear()
        for _ in range(2):  # the first ends what the weather has put off
            operator.run("run-now", "--all")
        after = sizes(daemon.pid)
        converged(operator, users)
    assert after["Threads"] <= before["Threads"] + 4
    assert after["descriptors"] <= before["descriptors"] + 40
    assert after["VmRSS"] <= before["VmRSS"] + GROWTH_KB
    bugs = [line for line in (operator.home / "daemon.log").read_text().splitlines() if "Traceback" in line]
    assert not bugs, bugs[0]
    say(
        f"soak: {seconds} s, {number} users, {restarts} restarts of PostgreSQL; all converged; memory "
        f"{before['VmRSS'] // 1024} -> {after['VmRSS'] // 1024} MB, threads {before['Threads']} -> {after['Threads']}, "
        f"descriptors {before['descriptors']} -> {after['descriptors']}"
    )


def connect_all(operator: Operator, users: list[str]) -> None:
    db = open_database(operator.url)
    desk = desk_for(operator.google, db, operator.home)
    for user in users:
        operator.google.world.add_account(f"{user}@example.com").add_people(5)
        join(desk, operator.google, user, f"{user}@example.com")
    close(db)


def weather(operator: Operator, server: Server, users: list[str], seconds: float) -> int:
    """Faults at Google, changes of contacts and restarts of the server, all by chance; the answer is the restarts."""
    chance, until, restarts = random.Random(seconds), time.monotonic() + seconds, 0
    calm = threading.Event()
    while time.monotonic() < until:
        for fault in WEATHER:
            operator.google.faults.add("any", fault, nth=chance.randint(1, int(len(WEATHER) / SHARE)))
        user = chance.choice(users)
        account = operator.google.world.account(f"{user}@example.com")
        account.add_people(1)
        for one in chance.sample(users, k=min(len(users), 4)):
            operator.start("run-now", "--no-wait", one).communicate(timeout=60)  # the store may be away just now
        calm.wait(chance.uniform(*LULL))
        server.restart(chance.choice((signal.SIGINT, signal.SIGQUIT)))
        restarts += 1
    return restarts


def converged(operator: Operator, users: list[str]) -> None:
    db = open_database(operator.url)
    for user in users:
        assert copy_of(db, user) == world_of(operator.google, f"{user}@example.com"), user
    close(db)


def sizes(pid: int) -> dict[str, int]:
    """Memory (kB), threads and open descriptors of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    found = {name: int(status[name].split()[0]) for name in ("VmRSS", "Threads")}
    return {**found, "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
