"""Who is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contacts_sync.daemon.liveness import alive, dead_workers
from contacts_sync.model import Node
from contacts_sync.store.nodes import this_host

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BEAT = timedelta(seconds=10)
HOST, BOOT = this_host()
MYSELF = Node("w1", "daemon", HOST, BOOT, os.getpid(), "0", NOW, NOW)


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_process_that_beats_is_alive() -> None:
    assert alive(MYSELF, NOW + BEAT, BEAT)


def test_a_silent_process_is_not_alive() -> None:
    assert not alive(MYSELF, NOW + 4 * BEAT, BEAT)


def test_a_heartbeat_that_is_still_to_come_is_from_before_the_clock_was_set_back() -> None:
    earlier = replace(MYSELF, boot_id="an earlier boot", heartbeat_at=NOW + timedelta(days=3650))
    assert not alive(earlier, NOW, BEAT)
    assert dead_workers([earlier], NOW, BEAT) == ["w1"]


def test_a_process_of_this_host_that_has_gone_is_dead_at_once() -> None:
    gone = replace(MYSELF, pid=ended_pid())
    assert not alive(gone, NOW, BEAT)
    assert dead_workers([gone, MYSELF], NOW, BEAT) == ["w1"]


def test_a_silent_process_from_before_the_last_boot_is_dead() -> None:
    earlier = replace(MYSELF, boot_id="an earlier boot")
    assert dead_workers([earlier], NOW + 4 * BEAT, BEAT) == ["w1"]


def test_another_boot_id_alone_proves_nothing_in_containers() -> None:
    boxed = replace(MYSELF, boot_id="as a sandboxed service sees it")
    assert alive(boxed, NOW + BEAT, BEAT)
    assert dead_workers([boxed], NOW + BEAT, BEAT) == []


def test_of_another_host_only_the_heartbeat_is_known() -> None:
    elsewhere = replace(MYSELF, host="another-host", pid=ended_pid())
    assert alive(elsewhere, NOW, BEAT)
    assert dead_workers([elsewhere], NOW, BEAT) == []
