"""Whatever the umask, every file and directory that a command makes is its owner's alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """The worst umask there is."""
    before = os.umask(0)
    yield
    os.umask(before)


def made_below(home: Path) -> dict[str, str]:
    """Mode by name of all that was made there, links left out."""
    found = (path for path in home.rglob("*") if not path.is_symlink())
    return {str(path.relative_to(home)): oct(path.stat().st_mode & 0o777) for path in found}


def test_every_file_is_0600_and_every_directory_0700_under_umask_0(
    tmp_path: Path, google: Sandbox, open_to_all: None
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    google.world.add_account(ALICE).add_people(3)
    operator = Operator(home, google, f"sqlite:///{home}/deep/state/store.db")
    operator.environ["CONTACTS_SYNC_SECRETS__KEY_FILE"] = str(home / "deep/keys/key")
    operator.run("--config", "deep/er/config.toml", "init")
    operator.run("init")
    operator.connect("alice", account=ALICE)
    with (home / "daemon.log").open("a") as journal:
        (home / "daemon.log").chmod(0o600)  # who redirects stderr makes this file, not the daemon
        daemon = operator.start("daemon", stderr=journal)
        wait_until(lambda: operator.runs("--status", "succeeded"))
        daemon.terminate()
        daemon.communicate(timeout=30)
    operator.run("db", "backup", "store.backup")
    for form in ("vcard", "csv", "jsonl"):
        operator.run("export", "alice", "--format", form, "--output", f"alice.{form}")
    operator.run("export", "--all", "--output", "exports/of/all")
    operator.run("key", "rotate")
    made = made_below(home)
    assert {"deep/state/store.db", "deep/er/config.toml", "exports/of/all/alice.vcf", "store.backup"} <= made.keys()
    open_ones = {name: mode for name, mode in made.items() if mode not in ("0o600", "0o700")}
    assert not open_ones
    assert {mode for name, mode in made.items() if (home / name).is_dir()} == {"0o700"}


def test_what_belongs_to_a_store_in_use_is_private(tmp_path: Path, google: Sandbox, open_to_all: None) -> None:
    """While a daemon runs: the write-ahead log, its index, the lock."""
    google.world.add_account(ALICE).add_people(3)
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/state/store.db")
    operator.init()
    operator.connect("alice", account=ALICE)
    with operator.daemon():
        made = made_below(tmp_path / "state")
    assert {"store.db", "store.db-wal", "store.db-shm"} <= made.keys()
    assert set(made.values()) == {"0o600"}
