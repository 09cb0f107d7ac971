from __future__ import annotations

import os
import subprocess
import sys

import pytest

from contacts_sync.overview import OVERVIEW
from tests.man_pages import overview

ENTRY = [sys.executable, "-m", "contacts_sync"]


def test_the_overview_is_what_click_makes() -> None:
    """Made anew by `python -m tests.man_pages`."""
    assert overview() == OVERVIEW


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_loads_no_command_line_library(option: str) -> None:
    code = f"import sys; sys.argv = ['x', '{option}']\nfrom contacts_sync.__main__ import main; main(); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    shown, loaded = told[: len(OVERVIEW)], told[len(OVERVIEW) :].split()
    assert shown == OVERVIEW
    assert "click" not in loaded


def test_a_narrow_terminal_gets_help_that_fits() -> None:
    primary, secondary = os.openpty()
    os.set_blocking(primary, False)
    subprocess.run(["stty", "cols", "60"], stdin=secondary, check=True)
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    subprocess.run([*ENTRY, "--help"], stdin=secondary, stdout=secondary, env=environ, check=True)
    told = os.read(primary, 100_000).decode()
    os.close(primary)
    os.close(secondary)
    assert told.startswith("Usage: ")
    assert max(len(line) for line in told.splitlines()) <= 60


def test_everything_else_is_as_at_length() -> None:
    done = subprocess.run([*ENTRY, "status", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: contacts-sync status")
