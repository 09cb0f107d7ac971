"""Where exports and backups may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contacts_sync.cli import boundary, root
from contacts_sync.cli.targets import refuse_target
from contacts_sync.errors import ExportRefused
from tests.cli.given import connected, store
from tests.operating import Operator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize("name", ["kept", "link", "dangling", "pipe"])
def test_what_exists_is_not_replaced_unasked(home: Path, name: str) -> None:
    with pytest.raises(ExportRefused):
        refuse_target(home / name, force=False)


def test_only_a_regular_file_is_replaced_when_asked(home: Path) -> None:
    for name in ("kept", "link", "dangling", "new"):
        refuse_target(home / name, force=True)
    for target in (home / "pipe", Path("/dev/null"), home):
        with pytest.raises(ExportRefused, match="no regular file"):
            refuse_target(target, force=True)


@pytest.mark.parametrize("words", [["export", "alice", "--output"], ["db", "backup"]], ids=" ".join)
def test_a_link_is_replaced_and_not_what_it_points_to(
    operator: Operator, home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with store(operator) as db:
        connected(db, "alice")
    for name, value in operator.environ.items():
        monkeypatch.setenv(name, value)
    target = home / "link"
    assert boundary.run(root, [*words, str(target)]) == 1
    assert boundary.run(root, [*words, str(target), "--force"]) == 0
    assert (home / "kept").read_text() == "kept"
    assert not target.is_symlink()
