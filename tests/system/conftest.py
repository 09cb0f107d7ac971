"""An operator with the sandbox in Google's place, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher
from tests.operating import Operator


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def operator(tmp_path: Path, google: Sandbox, store_url: str, launcher: Launcher) -> Operator:
    """Nothing is set up yet: the operator begins with `init`."""
    return Operator(tmp_path, google, store_url, launcher)
