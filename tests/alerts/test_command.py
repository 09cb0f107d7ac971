"""Real commands that behave as commands do: slow, loud, deaf, dead, with children."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from contacts_sync.alerts.command import LONGEST_OUTPUT, Ended, Ending, carry_out, environment
from tests.operating import wait_until

LONG, SHORT = timedelta(seconds=20), timedelta(seconds=0.5)


def sh(script: str, told: bytes = b"{}", limit: timedelta = LONG, stop: threading.Event | None = None) -> Ended:
    return carry_out(["/bin/sh", "-c", script], told, limit=limit, stop=stop or threading.Event())


def test_it_reads_what_it_is_told_and_says_what_it_likes() -> None:
    assert sh("cat; echo and more >&2", b'{"id": 7}') == Ended(Ending.SUCCEEDED, output='{"id": 7}and more')


@pytest.mark.parametrize(("script", "why"), [("exit 3", "exit code 3"), ("kill -TERM $$", "killed by signal 15")])
def test_it_may_fail(script: str, why: str) -> None:
    assert sh(script) == Ended(Ending.FAILED, why)


def test_a_missing_program_is_told_by_name() -> None:
    ended = carry_out(["/no/such/program"], b"", limit=LONG, stop=threading.Event())
    assert ended == Ended(Ending.NOT_STARTED, "/no/such/program: No such file or directory")


def test_who_never_reads_holds_up_nobody() -> None:
    assert sh("exec <&-; echo deaf", b"x" * 5_000_000).output == "deaf"


def test_of_much_output_the_end_is_kept() -> None:
    ended = sh("head -c 3000000 /dev/zero | tr '\\0' x; echo the end")
    assert ended.ending is Ending.SUCCEEDED
    assert ended.output.startswith("…x")
    assert ended.output.endswith("the end")
    assert len(ended.output) <= LONGEST_OUTPUT + 1


def test_endless_output_ends_with_the_time() -> None:
    assert sh("yes", limit=SHORT).ending is Ending.TIMED_OUT


def test_what_takes_too_long_is_killed_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = sh(
        f"echo $$ >{pids}; (trap '' TERM; echo $(exec sh -c 'echo $PPID') >>{pids}; sleep 60) & sleep 60", limit=SHORT
    )
    assert ended.ending is Ending.TIMED_OUT
    wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def alive(pid: int) -> bool:
    """A zombie that nobody reaps here is as dead as it gets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended = sh(f"setsid sh -c 'echo $$ >{pid}; exec sleep 60' & while [ ! -s {pid} ]; do sleep 0.01; done; echo gone")
    assert (ended.ending, ended.output) == (Ending.SUCCEEDED, "gone")
    assert alive(int(pid.read_text()))
    os.kill(int(pid.read_text()), 9)


def test_a_process_that_stops_stops_its_commands() -> None:
    stop = threading.Event()
    stop.set()
    assert sh("sleep 60", stop=stop).ending is Ending.STOPPED


def test_nothing_secret_is_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONTACTS_SYNC_GOOGLE__CLIENT_SECRET", "CREDENTIALS_DIRECTORY", "PGPASSWORD", "NOTIFY_SOCKET"):
        monkeypatch.setenv(name, "s3cr3t")
    names = {line.partition("=")[0] for line in sh("env").output.splitlines()}
    assert names <= {*environment(), "PWD", "SHLVL", "_"}
    assert "PATH" in names


def test_it_inherits_no_open_file(tmp_path: Path) -> None:
    with (tmp_path / "store").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        assert str(held.fileno()) not in sh("ls /proc/self/fd").output.split()
