"""What systemd hears."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

from structlog.testing import capture_logs

from contacts_sync.daemon.notify import tell_systemd, watchdog_interval


def test_assignments_arrive_as_one_datagram(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        tell_systemd("READY=1", "STATUS=well", environ={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert listener.recv(100) == b"READY=1\nSTATUS=well"


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0contacts-sync-test-{os.getpid()}")
        tell_systemd("WATCHDOG=1", environ={"NOTIFY_SOCKET": f"@contacts-sync-test-{os.getpid()}"})
        assert listener.recv(100) == b"WATCHDOG=1"


def test_nobody_is_told_where_nobody_asked() -> None:
    tell_systemd("READY=1", environ={})


def test_the_watchdog_is_petted_twice_an_interval_if_it_is_ours() -> None:
    assert watchdog_interval({"WATCHDOG_USEC": "30000000"}) == timedelta(seconds=15)
    assert watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None
    assert watchdog_interval({}) is None


def test_who_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with capture_logs() as said, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(environ["NOTIFY_SOCKET"])
        for _ in range(1_000):  # more than a socket holds for who doesn't read
            tell_systemd("WATCHDOG=1", environ=environ)
            if said:
                break
    assert [(one["event"], one["what"]) for one in said] == [("systemd_not_told", "WATCHDOG")]


def test_who_has_gone_is_told_nothing_more(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(environ["NOTIFY_SOCKET"])
    with capture_logs() as said:
        tell_systemd("STOPPING=1", environ=environ)
    assert "refused" in said[0]["error"]
