"""`contacts-sync completion`, asked as the shells ask."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.given import connected, store
from tests.operating import Operator


def completed(operator: Operator, *words: str) -> list[str]:
    """What bash would offer for the last word."""
    asked = {
        "COMP_WORDS": " ".join(("contacts-sync", *words)),
        "COMP_CWORD": str(len(words)),
        "_CONTACTS_SYNC_COMPLETE": "bash_complete",
    }
    before, operator.environ = operator.environ, {**operator.environ, **asked}
    try:
        return [line.split(",", 1)[1] for line in operator.run().stdout.split()]
    finally:
        operator.environ = before


def test_commands_options_and_users_are_completed(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice", "albert", "bob")
    assert completed(operator, "disc") == ["disconnect"]
    assert "--redirect-port" in completed(operator, "connect", "--r")
    assert completed(operator, "run-now", "al") == ["albert", "alice"]
    assert completed(operator, "disconnect", "b") == ["bob"]


def test_a_shell_hears_no_errors(newcomer: Operator) -> None:
    assert completed(newcomer, "disconnect", "b") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_the_shell_understands(operator: Operator, shell: str) -> None:
    script = operator.run("completion", shell).stdout
    assert "_CONTACTS_SYNC_COMPLETE" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, "")
