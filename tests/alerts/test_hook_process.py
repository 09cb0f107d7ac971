"""Real hooks of the real program: the daemon's, and run-now's without a daemon."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def operator(tmp_path: Path, launcher: Launcher) -> Iterator[Operator]:
    with Sandbox() as google:
        google.world.add_account(ALICE).add_people(3)
        newcomer = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
        newcomer.init()
        yield newcomer


def hook(operator: Operator, event: str, script: str = "cat >>heard") -> None:
    """A script of the operator's, in the operator's directory."""
    path = operator.home / f"on_{event}.sh"
    path.write_text(f"#!/bin/sh\ncd {operator.home}\n{script}\n")
    path.chmod(0o755)
    operator.environ[f"CONTACTS_SYNC_HOOKS__ON_{event.upper()}"] = str(path)


def heard(operator: Operator) -> list[dict[str, Any]]:
    path = operator.home / "heard"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def said(operator: Operator, event: str) -> list[dict[str, Any]]:
    lines = (operator.home / "daemon.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def test_the_daemon_tells_of_ends_and_changes_once(operator: Operator) -> None:
    for event in ("success", "change", "failure"):
        hook(operator, event)
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        wait_until(lambda: len(heard(operator)) == 2)
        operator.run("run-now", "alice")
        wait_until(lambda: len(heard(operator)) == 3)
        operator.google.world.account(ALICE).revoke_grants()
        operator.run("run-now", "alice", code=4)
        wait_until(lambda: len(heard(operator)) == 4)
    assert sorted((one["id"], one["event"]) for one in heard(operator)) == [
        (1, "change"),
        (1, "success"),
        (2, "success"),
        (3, "failure"),
    ]
    shown = operator.json("runs", "show", "3")
    assert heard(operator)[-1] == {"event": "failure", **shown}


def test_run_now_without_a_daemon_tells_too_and_outlives_a_bad_hook(operator: Operator) -> None:
    hook(operator, "success")
    hook(operator, "change", "echo no good; env; exit 3")
    operator.connect("alice", account=ALICE)
    ended = operator.run("--log-level", "warning", "run-now", "alice")
    assert [(one["event"], one["status"]) for one in heard(operator)] == [("success", "succeeded")]
    assert "hooks: 1 failed" in ended.stderr
    (line,) = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert (line["hook"], line["outcome"], line["why"]) == ("on_change", "failed", "exit code 3")
    assert line["output"].startswith("no good")
    assert "CONTACTS_SYNC" not in line["output"]


def test_a_hook_that_hangs_delays_neither_a_run_nor_the_stop(operator: Operator) -> None:
    hook(operator, "success", "echo $$ >>started; exec sleep 300")
    operator.environ["CONTACTS_SYNC_DAEMON__SHUTDOWN_GRACE"] = "1s"
    with operator.daemon() as daemon:
        operator.connect("alice", account=ALICE)
        for _ in range(3):
            operator.run("run-now", "alice")
        wait_until((operator.home / "started").exists)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    assert said(operator, "hook_finished")[0]["outcome"] == "stopped"
    for pid in (operator.home / "started").read_text().split():
        assert not Path(f"/proc/{pid}").exists()
