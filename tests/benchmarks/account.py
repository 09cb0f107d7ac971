"""One big account: a first full sync, the same again, what has changed, and how the cost grows with the account."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import psycopg

from tests.benchmarks import limit, people_api, product
from tests.benchmarks.incremental import cost_of, counted, mean_of, sync
from tests.benchmarks.processes import Cost, process_cost
from tests.benchmarks.report import Plot, Row, alternately, compared, nothing
from tests.postgres import Server

SIZES = (1_000, 5_000, 25_000, 100_000)
NewStore = Callable[[], str]


def new_stores(folder: Path, server: Server) -> dict[str, NewStore]:
    """How to get the URL of a fresh store on each database."""
    return {
        "SQLite": lambda: f"sqlite:///{mkdtemp(dir=folder)}/store.db",
        "PostgreSQL": server.new_database,
    }


def measure(folder: Path, server: Server, *, rounds: int, contacts: int) -> Iterator[Row]:
    """The rows of the table, one after the other."""
    with people_api.running(contacts) as base_url:
        for database, new_store in new_stores(folder, server).items():
            yield from _full(folder, base_url, new_store, f"{contacts:,} contacts, {database}", rounds)
            yield from _incremental(folder, base_url, new_store, f"{contacts:,} contacts, {database}", rounds)


def _full(folder: Path, base_url: str, new_store: NewStore, where: str, rounds: int) -> Iterator[Row]:
    again: list[tuple[Cost, Cost]] = []

    def by_product() -> Cost:
        installed = product.install(folder / "home", base_url, new_store())
        first = installed.run_now("--full", product.USER)
        again.append((first, installed.run_now("--full", product.USER)))
        return first

    pairs = alternately(rounds, lambda: by_limit(base_url, new_store()), by_product)
    yield compared(f"{where}: full, whole process", pairs, goal=1.8)
    yield compared(f"{where}: full again, unchanged (limit: the first)", again, goal=0.7)


def by_limit(base_url: str, store_url: str) -> Cost:
    """The limit as a process."""
    return process_cost([sys.executable, "-m", "tests.benchmarks.limit", base_url, store_url])


def _incremental(folder: Path, base_url: str, new_store: NewStore, where: str, rounds: int) -> Iterator[Row]:
    installed = product.install(folder / "home", base_url, new_store())
    installed.run_now("--full", product.USER)
    limits = new_store()
    by_limit(base_url, limits)
    _analyze(installed.config.database.url, limits)
    with (
        product.opened(installed) as db,
        closing(limit.open_store(limits)) as store,
        limit.new_session() as session,
    ):
        desk = product.desk_for(installed, db)
        for what, share, times in (("nothing changed", 0.0, 20), ("1 % changed", 0.01, 1)):
            pairs = alternately(
                rounds + 1,
                partial(mean_of, times, lambda: cost_of(lambda: limit.sync(session, base_url, store))),
                partial(mean_of, times, lambda: sync(desk)),
                before=partial(people_api.change, base_url, share) if share else nothing,
            )
            title = f"{where}: incremental, {what}, inside the process"
            yield compared(title, pairs[1:], goal=1.5, milliseconds=True)  # the first pair warms up
        yield counted(f"{where}: incremental, nothing changed", base_url, desk)


def _analyze(*store_urls: str) -> None:
    """What autovacuum does after a minute, but in the tests' server: PostgreSQL learns how its tables look."""
    for url in store_urls:
        if not url.startswith("sqlite"):
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("ANALYZE")


def growth(folder: Path, server: Server, *, rounds: int) -> Iterator[Plot]:
    """Time and memory of a first full sync, from the smallest account to four times Google's limit."""
    names = [f"{who}, {database}" for database in ("SQLite", "PostgreSQL") for who in ("limit", "contacts-sync")]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    peaks: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for contacts in SIZES:
        with people_api.running(contacts) as base_url:
            for database, new_store in new_stores(folder, server).items():
                costs = _both(folder, base_url, new_store, rounds)
                for who, found in zip(("limit", "contacts-sync"), zip(*costs, strict=True), strict=True):
                    name = f"{who}, {database}"
                    seconds[name].append((contacts, median(cost.cpu_seconds for cost in found)))
                    peaks[name].append((contacts, max(cost.peak_mb for cost in found)))
    yield Plot("account-seconds", "contacts", "CPU seconds of a first full sync", seconds)
    yield Plot("account-memory", "contacts", "MB at the peak", peaks)


def _both(folder: Path, base_url: str, new_store: NewStore, rounds: int) -> list[tuple[Cost, Cost]]:
    def by_product() -> Cost:
        return product.install(folder / "home", base_url, new_store()).run_now("--full", product.USER)

    return alternately(rounds, lambda: by_limit(base_url, new_store()), by_product)
