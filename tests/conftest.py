"""The two databases. Every test that takes `db` or `store_url` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from contacts_sync import redaction
from contacts_sync.store.engine import Database, close, open_database
from tests.launcher import Launcher
from tests.postgres import Server, serve

# a machine that is busy with others' work makes nothing wrong
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

# tests.mutation runs each test hundreds of times: few examples, and the same ones every time
hypothesis.settings.register_profile("mutation", max_examples=15, derandomize=True, deadline=None, database=None)

pytest.register_assert_rewrite("tests.operating", "tests.proof")  # helpers that say as much as a test when they fail

# A script that starts the tests with `&` has them ignore Ctrl-C, and the programs that they start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a third of the time a test waits, for a clock, a lock or a process."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="every point of the proof, not only its quick slice")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the proof has counted."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [kept for report in reports for kept in getattr(report, "user_properties", ())]
    if said := sorted({str(line) for name, line in properties if name == "proof"}):
        terminalreporter.section("proof")
        for line in said:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _forget_secrets() -> Iterator[None]:
    """What one test has hidden in the logs isn't hidden from the next one."""
    yield
    for memory in (redaction._known, redaction._lasting, redaction._lengths):
        memory.clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of this process."""
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Server) -> str:
    """A database with an empty store in it, made once: to copy it is half the work of migrations."""
    url = postgres.new_database()
    close(open_database(url, create=True))
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Starts commands quickly, for all tests of this process."""
    with Launcher() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store could be: nothing is there yet, unless the test takes `db`."""
    is_there = "db" in request.fixturenames
    if request.param == "sqlite":
        if is_there:
            lay_out(tmp_path / "store.db")
        return f"sqlite:///{tmp_path}/store.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database(like=request.getfixturevalue("template")) if is_there else server.new_database()


@cache
def empty_store() -> bytes:
    """A SQLite store with nothing in it, made once: migrations take ten times as long as a copy."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        close(open_database(f"sqlite:///{path}", create=True))
        return path.read_bytes()


def lay_out(path: Path) -> None:
    """Put an empty store there."""
    path.touch(mode=0o600)
    path.write_bytes(empty_store())


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """An open, empty store."""
    opened = open_database(store_url, create=True)
    yield opened
    close(opened)
