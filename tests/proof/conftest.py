"""The proof: every point of a kind instead of a sample. `pytest tests/proof --whole` takes them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher
from tests.postgres import Server
from tests.proof.enumerating import Setting

Say = Callable[[str], None]


PATIENCE_SECONDS = 4 * 3600  # for one test with all of its points


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The soak begins first: it lasts minutes, most of which it waits."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")
    if config.getoption("whole"):
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.timeout(PATIENCE_SECONDS), append=False)


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Every point, or the quick slice."""
    return bool(request.config.getoption("whole"))


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """A line that is printed when the tests are over, also by pytest's parallel workers."""
    return lambda line: record_property("proof", line)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server | None:
    """The server of a PostgreSQL store, None for SQLite."""
    found: Server | None = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    return found


@pytest.fixture
def setting(google: Sandbox, launcher: Launcher, tmp_path: Path, server: Server | None) -> Setting:
    return Setting(google, launcher, tmp_path, server)
