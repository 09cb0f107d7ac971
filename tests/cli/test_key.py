"""`contacts-sync key`."""

from __future__ import annotations

from pathlib import Path

from contacts_sync import vault
from tests.cli.given import joined
from tests.operating import Operator


def test_a_generated_key_is_a_key(operator: Operator, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.touch(0o600)
    fresh.write_text(operator.json("key", "generate")["key"] + "\n" + operator.run("key", "generate").stdout)
    assert vault.load_keys(fresh).open("a", vault.load_keys(fresh).seal("a", "x")) == "x"


def test_after_a_rotation_the_old_key_can_go(operator: Operator) -> None:
    joined(operator, "alice")
    key = operator.home / "key"
    key.write_text(fresh := f"{vault.generate_key()}\n{key.read_text()}")
    assert operator.json("key", "rotate") == {"rotated": 1, "unreadable": []}
    key.write_text(fresh.splitlines()[0])
    operator.run("run-now", "alice")


def test_tokens_that_no_key_opens_are_named(operator: Operator) -> None:
    joined(operator, "alice o'hara")
    (operator.home / "key").write_text(vault.generate_key())
    assert """contacts-sync connect 'alice o'"'"'hara'""" in operator.run("key", "rotate", code=78).stderr


def test_a_rotation_beside_a_daemon_fails_no_sync_and_can_be_run_again(operator: Operator) -> None:
    for user in ("alice", "bob"):
        joined(operator, user, people=3)
    key = operator.home / "key"
    with operator.daemon():
        key.write_text(f"{vault.generate_key()}\n{key.read_text()}")
        operator.run("run-now", "--all", "--full")
        assert "older keys can be removed" in operator.run("key", "rotate").stdout
        key.write_text(key.read_text().splitlines()[0] + "\n")
        operator.run("run-now", "--all", "--full")
    assert operator.json("key", "rotate") == {"rotated": 0, "unreadable": []}
