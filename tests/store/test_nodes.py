from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contacts_sync.errors import DaemonRunning
from contacts_sync.model import Node, Pause
from contacts_sync.store import nodes
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.store.given import MINUTE, NOW

NODE = Node("w1", "daemon", "host", "boot", 42, "0.1.0", NOW, NOW)
PAUSE = Pause("OperatorTrouble", "the API is disabled", "enable it", NOW, NOW + MINUTE)


def test_a_process_is_known_until_it_leaves(db: Database) -> None:
    later = replace(NODE, heartbeat_at=NOW + MINUTE)
    other = replace(NODE, worker_id="w0", started_at=NOW - MINUTE)
    with write(db) as tx:
        for node in (NODE, other, later):
            nodes.beat(tx, node)
        assert nodes.every(tx) == [other, later]
        nodes.leave(tx, "w1")
        nodes.leave(tx, "w1")
        assert nodes.every(tx) == [other]


def test_a_pause_is_set_changed_and_lifted(db: Database) -> None:
    worse = replace(PAUSE, message="invalid client", next_probe_at=NOW + 2 * MINUTE)
    with write(db) as tx:
        assert nodes.pause(tx) is None
        nodes.set_pause(tx, PAUSE)
        nodes.set_pause(tx, worse)
        assert nodes.pause(tx) == worse
        nodes.probe_now(tx, NOW)
        assert nodes.pause(tx) == replace(worse, next_probe_at=NOW)
        nodes.lift_pause(tx)
        nodes.probe_now(tx, NOW)
    with read(db) as tx:
        assert nodes.pause(tx) is None


def test_one_daemon_holds_a_sqlite_store(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    code = (
        "import sys; from contacts_sync.store import nodes\n"
        "from contacts_sync.store.engine import open_database\n"
        "with nodes.hold_store(open_database(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/store.db"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DaemonRunning, match=f"pid {other.pid}"), nodes.hold_store(db):
            pass
        other.kill()
        other.wait()
        with nodes.hold_store(db):
            pass
    close(db)


def test_what_a_power_cut_left_in_the_lock_file_holds_nobody_up(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    (tmp_path / "store.db.daemon").write_text("pid 1 on elsewhere\n")
    with nodes.hold_store(db):
        assert f"pid {os.getpid()}" in (tmp_path / "store.db.daemon").read_text()
    close(db)


def test_any_number_of_daemons_share_a_server(db: Database) -> None:
    if db.path is None:
        with nodes.hold_store(db), nodes.hold_store(db):
            pass


def test_this_host_has_a_name_and_a_boot_id() -> None:
    host, boot_id = nodes.this_host()
    assert host
    assert boot_id
