"""Many users: a fleet that is due at once, a daemon that knows very many, commands beside it, and how cost grows."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from statistics import median, quantiles

import msgspec

from tests.benchmarks import fleet, people_api, product
from tests.benchmarks.people_api import TOKEN
from tests.benchmarks.processes import Cost, process_cost
from tests.benchmarks.report import Plot, Row, alternately, compared
from tests.postgres import Server

SIZES = (100, 1_000, 10_000, 100_000)
LARGEST_FLEET = 10_000
IDLE_SECONDS = 60
RUNS_NOW = 100
BREATH_SECONDS = 0.3  # between two runs that somebody asks for, so that the daemon is idle again
COMMAND = [sys.executable, "-m", "contacts_sync"]


class Places:
    """Fresh folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def fresh(self) -> Path:
        """An empty folder."""
        made = self._folder / f"users-{next(self._numbers)}"
        made.mkdir(parents=True)
        return made


def measure(folder: Path, server: Server, *, rounds: int, users: int, many: int) -> Iterator[Row]:
    """The rows of the table, one after the other."""
    places = Places(folder)
    yield _help(rounds)
    yield _status(places, users, rounds)
    yield from _crowd(places, many, rounds)
    yield _run_now(places, "SQLite", None, "p99 ≤ 1200 ms")
    yield _run_now(places, "PostgreSQL", server, "p99 ≤ 100 ms")
    yield _fleet(places, users, rounds)


def _help(rounds: int) -> Row:
    """Beside the start of Python itself."""
    pairs = alternately(
        rounds + 1,
        lambda: process_cost([sys.executable, "-c", "pass"]),
        lambda: process_cost([*COMMAND, "--help"]),
    )
    return compared("--help (limit: python -c pass)", pairs[1:], goal=3, milliseconds=True)


def _status(places: Places, users: int, rounds: int) -> Row:
    made = _settled(places, users)
    costs = [process_cost([*COMMAND, "status"], made.environ) for _ in range(rounds)]
    return _told(f"status, {users:,} users", costs, "≤ 1 s")


def _told(what: str, costs: list[Cost], goal: str) -> Row:
    clock, cpu = median(cost.seconds for cost in costs), median(cost.cpu_seconds for cost in costs)
    return Row(what, "", f"{clock:.2f} s, CPU {cpu:.2f}, {max(cost.peak_mb for cost in costs):.0f} MB", "", goal)


def _settled(places: Places, users: int) -> product.Installation:
    home = places.fresh()
    return fleet.settled(home, "http://127.0.0.1:9", f"sqlite:///{home}/store.db", users)


def _crowd(places: Places, users: int, rounds: int) -> Iterator[Row]:
    """A daemon that has nothing to do for very many users."""
    made = _settled(places, users)
    starts = []
    for _ in range(rounds):
        with fleet.daemon(made) as (pid, ready):
            starts.append(Cost(ready, fleet.cpu_seconds(pid), fleet.memory_mb(pid)))
    yield _told(f"daemon with {users:,} users until READY", starts, "≤ 10 s, ≤ 250 MB")
    with fleet.daemon(made) as (pid, _):
        time.sleep(5)  # the first look at everything
        before = fleet.cpu_seconds(pid)
        time.sleep(IDLE_SECONDS)
        share = (fleet.cpu_seconds(pid) - before) / IDLE_SECONDS
    yield Row(f"the same, one idle minute of {IDLE_SECONDS} s", "", f"CPU {share:.2%}", "", "≤ 1 %")


def _run_now(places: Places, database: str, server: Server | None, goal: str) -> Row:
    """From the commit of a run that somebody asks for to its first request, with an idle daemon."""
    home = places.fresh()
    url = server.new_database() if server else f"sqlite:///{home}/store.db"
    with _doorbell() as (rung, token_url), people_api.running(0) as base_url:
        made = fleet.settled(home, base_url, url, RUNS_NOW, GOOGLE__ENDPOINTS__TOKEN=token_url)
        with fleet.daemon(made), product.opened(made) as db:
            waits = []
            for number in range(RUNS_NOW):
                time.sleep(BREATH_SECONDS)
                product.queue(db, f"u{number:06}")
                asked = time.perf_counter()
                waits.append((rung.get(timeout=60) - asked) * 1000)
    told = f"median {median(waits):.0f} ms, p99 {quantiles(waits, n=100)[98]:.0f} ms"
    return Row(f"run-now to the first request, {database}", "", told, "", goal)


@contextmanager
def _doorbell() -> Iterator[tuple[SimpleQueue[float], str]]:
    """A token endpoint in this process: the instants at which it was asked, and its address."""
    rung: SimpleQueue[float] = SimpleQueue()

    class Doorbell(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            rung.put(time.perf_counter())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(people_api.message(msgspec.json.encode(TOKEN)))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Doorbell) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield rung, f"http://127.0.0.1:{door.server_port}/token"
        door.shutdown()


def _fleet(places: Places, users: int, rounds: int) -> Row:
    with people_api.running(0, latency_ms=fleet.LATENCY_MS) as base_url:
        pairs = alternately(
            rounds,
            lambda: fleet.by_limit(places.fresh(), base_url, users),
            lambda: fleet.drained(places.fresh(), base_url, users),
        )
    limits, drained = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rate = median(limit.seconds / found.cost.seconds for limit, found in pairs)
    cpu = median(found.cost.cpu_seconds / limit.cpu_seconds for limit, found in pairs)
    lost = sum(users - found.succeeded for found in drained)
    turns = max(found.out_of_turn for found in drained)
    return Row(
        f"{users:,} users due at once, nothing changed, {fleet.LATENCY_MS} ms, {fleet.THREADS} workers, SQLite",
        _rate(limits, users),
        _rate([found.cost for found in drained], users),
        f"{rate:.0%} of the rate (CPU {cpu:.2f}); {lost} lost, {turns} places out of turn at most",
        "≥ 60 %, ≤ 4 ms each",
    )


def _rate(costs: list[Cost], users: int) -> str:
    rate, cpu = median(users / cost.seconds for cost in costs), median(cost.cpu_seconds for cost in costs)
    return f"{rate:.0f} syncs/s, CPU {cpu / users * 1000:.2f} ms each"


def growth(folder: Path, *, rounds: int) -> Iterator[Plot]:
    """What more users cost: a daemon's start, its memory, `status`, and a fleet's syncs."""
    places = Places(folder / "growth")
    lines: dict[str, list[tuple[float, float]]] = {"daemon until READY": [], "status": [], "a sync of each user": []}
    memory: list[tuple[float, float]] = []
    for users in SIZES:
        made = _settled(places, users)
        status = [process_cost([*COMMAND, "status"], made.environ).cpu_seconds for _ in range(rounds)]
        lines["status"].append((users, median(status)))
        with fleet.daemon(made) as (pid, _):
            lines["daemon until READY"].append((users, fleet.cpu_seconds(pid)))
            memory.append((users, fleet.memory_mb(pid)))
        if users <= LARGEST_FLEET:
            with people_api.running(0) as base_url:
                cost = fleet.drained(places.fresh(), base_url, users).cost
            lines["a sync of each user"].append((users, cost.cpu_seconds))
    yield Plot("users-seconds", "users", "CPU seconds", lines)
    yield Plot("users-memory", "users", "MB of the daemon", {"daemon": memory})
