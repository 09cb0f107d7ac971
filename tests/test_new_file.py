"""Files that are whole or not there."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contacts_sync.new_file import write_new


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_new_file_is_its_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    write_new(tmp_path / "key", "secret\n")
    os.umask(before)
    assert (tmp_path / "key").read_text() == "secret\n"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["key"]  # noqa: PTH208  (names are compared)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_new(tmp_path / "key", "old")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "key", "new")
    assert (tmp_path / "key").read_text() == "old"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(OSError, match="large"):
        write_new(tmp_path / "key", "more than fits")
    assert list(tmp_path.iterdir()) == []
