from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.man_pages import FOLDER, pages


def test_the_manual_says_what_the_commands_say() -> None:
    """Made anew by `python -m tests.man_pages`."""
    assert {path.name: path.read_text() for path in FOLDER.glob("*.1")} == pages()


def test_every_command_has_an_example() -> None:
    groups = {
        "contacts-sync",
        *(f"contacts-sync-{name}" for name in ("alerts", "config", "contacts", "db", "key", "runs", "schedule")),
    }
    without = {name.removesuffix(".1") for name, text in pages().items() if "Example" not in text}
    assert without == groups


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff isn't installed")
def test_troff_has_nothing_to_complain_about() -> None:
    for name, text in pages().items():
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww"], input=text, capture_output=True, text=True, check=True
        )
        assert not done.stderr, name
