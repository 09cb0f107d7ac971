"""Files are made for their owner only."""

from __future__ import annotations

from pathlib import Path

from tests.operating import Operator

ALICE = "alice@example.com"


def test_files_are_made_for_their_owner_only(operator: Operator) -> None:
    operator.init()
    operator.google.world.add_account(ALICE)
    operator.connect("alice", account=ALICE)
    modes = {path: path.stat().st_mode & 0o077 for path in operator.home.rglob("*") if _is_ours(path)}
    assert modes
    assert not any(modes.values()), modes


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.name in ("key", "config.toml") or ".db" in path.name)
