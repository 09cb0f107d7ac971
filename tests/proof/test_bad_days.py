"""What a sysadmin does to a running daemon, or the machine does: it lives on, or it stops and says why."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.inside import copy_of, rows, world_of
from tests.launcher import Launched
from tests.operating import wait_until
from tests.proof import seccomp
from tests.proof.enumerating import Setting, prepare, watched
from tests.proof.scenarios import CONNECTING, FULL, INCREMENTAL
from tests.proof.stage import EMAIL, Scene

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


def daemon(scene: Scene) -> Launched:
    process = scene.start("daemon")
    wait_until(lambda: "daemon_started" in process.stderr() or process.ended.is_set())
    return process


def synced(scene: Scene) -> bool:
    with scene.database(copied=False) as db:
        return rows(db, "SELECT status FROM sync_runs WHERE status <> 'succeeded'") == []


def is_equal(scene: Scene) -> bool:
    with scene.database(copied=False) as db:
        return copy_of(db, "alice") == world_of(scene.google, EMAIL)


def store_of(scene: Scene) -> Path:
    return scene.home / "store.db"


@pytest.mark.parametrize("do", [Path.unlink, lambda store: shutil.move(store, store.with_name("elsewhere.db"))])
def test_a_daemon_whose_store_is_deleted_or_moved_stops_and_writes_no_ghost(
    setting: Setting, do: Callable[[Path], object]
) -> None:
    """D12."""
    scene = prepare(setting, CONNECTING).anew()
    process = daemon(scene)
    do(store_of(scene))
    ended = process.wait()
    assert ended.code == 78, ended
    assert "moved, deleted or replaced" in ended.err
    assert not store_of(scene).exists()


def test_a_damaged_store_is_found_at_start_and_left_as_it_is(setting: Setting) -> None:
    """D8."""
    scene = prepare(setting, INCREMENTAL).anew()
    store = store_of(scene)
    with store.open("r+b") as file:
        file.seek(8 * 16_384)
        file.write(b"\xff" * (store.stat().st_size - 8 * 16_384))
    before = store.read_bytes()
    ended = scene.start("daemon").wait()
    assert ended.code == 78, ended
    assert "damaged" in ended.err
    assert "backup" in ended.err
    assert store.read_bytes() == before


@pytest.mark.skipif(bool(seccomp.unavailable()), reason=seccomp.unavailable())
@pytest.mark.parametrize("command", ["daemon", "status"])
def test_a_store_on_a_read_only_file_system_is_said_to_be_out_of_reach(setting: Setting, command: str) -> None:
    """D6."""
    scene = prepare(setting, CONNECTING).anew()
    before = store_of(scene).read_bytes()

    def refuse(call: seccomp.Call, _: Launched) -> int:
        in_store = call.name == "openat" and call.path.startswith(str(store_of(scene)))
        writes = in_store and call.arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return errno.EROFS if writes else 0

    ended = watched(scene, (command,), refuse)
    assert ended.code == 75, ended
    assert "read-only" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert store_of(scene).read_bytes() == before


def test_a_store_that_is_copied_from_a_running_daemon_goes_on_on_another_host(setting: Setting) -> None:
    """U27: the old host's lease ends, and the slot that it was at work for stays one run."""
    scene = prepare(setting, FULL, DAEMON__LEASE="2s", DAEMON__HEARTBEAT="200ms").anew()
    with closing(sqlite3.connect(store_of(scene))) as store, store:
        long_ago = "'2020-01-01T00:00:00.000000+00:00'"
        store.execute(f"UPDATE connections SET cron = '0 0 1 1 *', scheduled_since = {long_ago}")
        store.execute(f"UPDATE sync_states SET queued_until = {long_ago}")
    gate = scene.google.faults.hold("people")
    old = daemon(scene)
    assert gate.arrived.wait(60)
    with closing(sqlite3.connect(store_of(scene))) as store, closing(sqlite3.connect(scene.home / "backup.db")) as copy:
        store.backup(copy)
        with copy:
            copy.execute("UPDATE nodes SET host = 'elsewhere', boot_id = 'another'")
    old.kill()
    assert old.wait().code == -9
    gate.release()
    for file in scene.home.glob("store.db*"):
        file.unlink()
    (scene.home / "backup.db").rename(store_of(scene))
    new = daemon(scene)
    wait_until(lambda: synced(scene) and is_equal(scene))
    new.kill(signal.SIGTERM)
    assert new.wait().code == 0
    with scene.database() as db:
        [(slot, starts, take_backs)] = rows(db, "SELECT slot, starts, take_backs FROM sync_runs")
    assert slot.endswith("-01-01T00:00[UTC]")
    assert (starts, take_backs) == (2, 1)


def test_a_backup_of_last_week_is_brought_up_to_date(setting: Setting) -> None:
    """D11."""
    scene = prepare(setting, INCREMENTAL).anew()
    shutil.copy(store_of(scene), scene.home / "backup.db")
    scene.run("run-now", "alice")
    names = sorted(scene.google.world.account(EMAIL).people())
    scene.google.world.account(EMAIL).delete_person(names[0])
    scene.run("run-now", "alice")
    for file in scene.home.glob("store.db*"):
        file.unlink()
    shutil.copy(scene.home / "backup.db", store_of(scene))
    scene.run("run-now", "alice")
    assert is_equal(scene)


@pytest.mark.parametrize("log", ["a full disk", "a closed pipe"])
def test_a_daemon_whose_log_can_not_be_written_goes_on_syncing(setting: Setting, log: str) -> None:
    """P15."""
    scene = prepare(setting, FULL).anew()
    journal = scene.home / "stderr.txt"
    journal.unlink()
    with ExitStack() as stack:
        stack.callback(journal.unlink)  # nobody shall read from it to the end
        if log == "a full disk":
            journal.symlink_to("/dev/full")
        else:
            os.mkfifo(journal)
            reader = os.open(journal, os.O_RDONLY | os.O_NONBLOCK)
        process = scene.start("daemon")
        stack.callback(process.stdout.close)
        stack.callback(process.kill)
        if log == "a closed pipe":
            wait_until(lambda: Path(f"/proc/{process.pid}/fd/2").samefile(journal))
            os.close(reader)
        wait_until(lambda: synced(scene) and is_equal(scene))
        process.kill(signal.SIGTERM)
        assert process.ended.wait(30)
        assert process.status == 0


def test_a_daemon_without_descriptors_neither_dies_nor_spins_and_recovers(setting: Setting) -> None:
    """P13: also while somebody knocks at the dashboard."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scene = prepare(setting, FULL, WEB__LISTEN=f"127.0.0.1:{port}").anew()
    scene.google.faults.hold("any")
    process = daemon(scene)
    try:
        wait_until(lambda: "web_listening" in process.stderr())
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (1, 4096))
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            scene.google.faults.clear()
            wait_until(lambda: process.stderr().count("\n") > 5)
            used, said = cpu_seconds(process.pid), len(process.stderr())
            process.ended.wait(3)
            assert cpu_seconds(process.pid) - used < 1.5, "it spins"
            assert len(process.stderr()) - said < 50_000, "it chatters"
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (1024, 4096))
        scene.run("run-now", "alice")
        assert is_equal(scene)
        process.kill(signal.SIGTERM)
        assert process.wait().code == 0
    finally:
        process.kill()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_second_sigterm_ends_the_wait_for_running_runs(setting: Setting) -> None:
    """P7."""
    scene = prepare(setting, FULL, DAEMON__SHUTDOWN_GRACE="1h").anew()
    gate = scene.google.faults.hold("people")
    process = daemon(scene)
    assert gate.arrived.wait(60)
    process.kill(signal.SIGTERM)
    wait_until(lambda: "daemon_stopping" in process.stderr())
    process.kill(signal.SIGTERM)
    gate.release()
    assert process.wait().code == 0


def test_with_the_key_lost_everybody_connects_again_and_keeps_the_contacts(setting: Setting) -> None:
    """U5: the way that the README tells."""
    scene = prepare(setting, INCREMENTAL).anew()
    ids = contact_ids(scene)
    key = scene.home / "key"
    key.unlink()
    key.touch(0o600)
    key.write_text(scene.run("key", "generate").out)
    assert "connect" in scene.run("run-now", "alice", code=78).err
    scene.run("connect", "alice", "--no-browser")
    scene.run("run-now", "alice")
    assert is_equal(scene)
    assert contact_ids(scene).items() & ids.items()


def contact_ids(scene: Scene) -> dict[str, int]:
    with scene.database() as db:
        return dict(rows(db, "SELECT resource_name, id FROM contacts"))
