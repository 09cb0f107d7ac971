"""An operator whose key and SQLite store are there already: commands are typed as real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from contacts_sync import vault
from contacts_sync.sandbox import Sandbox
from tests.conftest import lay_out
from tests.launcher import Launcher
from tests.operating import Operator


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that is typed inside this process sets logging up for a stream that is closed afterwards."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def newcomer(tmp_path: Path, google: Sandbox, launcher: Launcher) -> Operator:
    """Nothing is set up yet."""
    return Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)


@pytest.fixture
def operator(newcomer: Operator) -> Operator:
    vault.write_key_file(newcomer.home / "key")
    lay_out(newcomer.home / "store.db")
    return newcomer
