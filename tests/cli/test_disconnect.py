"""`contacts-sync disconnect`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from contacts_sync.sandbox import faults
from tests.cli.given import joined, store
from tests.inside import desk_for, join, rows
from tests.operating import Operator, wait_until


@pytest.fixture
def alice(operator: Operator) -> Operator:
    joined(operator, "alice", people=2)
    operator.run("run-now", "alice")
    return operator


def at_a_terminal(operator: Operator, *words: str, answer: str) -> int:
    """Type a command and then, at its question, an answer; the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "contacts_sync", *words],
        env=operator.environ,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    said = b""

    def is_asked() -> bool:
        nonlocal said
        said += os.read(ours, 1000)
        return b"[y/N]" in said

    wait_until(is_asked)
    os.write(ours, answer.encode())
    code = process.wait(30)
    os.close(ours)
    os.close(theirs)
    return code


def test_the_grant_is_revoked_and_the_contacts_stay(alice: Operator) -> None:
    assert alice.json("disconnect", "alice") == {"user_id": "alice", "revoked": True, "contacts_kept": 2}
    assert len(alice.contacts("alice")) == 2
    assert alice.user("alice")["status"] == "disconnected"
    alice.run("disconnect", "alice", code=3)


def test_a_kept_grant_is_said(alice: Operator) -> None:
    said = alice.run("disconnect", "alice", "--keep-grant")
    assert "was kept, as asked" in said.stderr
    assert "2 contacts kept" in said.stdout


def test_trouble_at_google_is_a_warning_only(alice: Operator) -> None:
    alice.google.faults.add("revoke", faults.internal_error(), times=None)
    said = alice.run("disconnect", "alice", "--json")
    assert '"revoked": false' in said.stdout
    assert "myaccount.google.com" in said.stderr


def test_google_is_not_waited_for_when_it_is_silent(alice: Operator) -> None:
    gate = alice.google.faults.hold("revoke")
    assert not alice.json("disconnect", "alice")["revoked"]
    gate.release()
    assert alice.user("alice")["status"] == "disconnected"


def test_a_grant_that_another_user_needs_is_left_alive(alice: Operator) -> None:
    with store(alice) as db:
        join(desk_for(alice.google, db, alice.home), alice.google, "twin", "alice@example.com")
    assert "another user is connected" in alice.run("disconnect", "alice").stderr
    assert alice.google.count("revoke") == 0
    assert alice.json("disconnect", "twin")["revoked"]


def test_a_purge_without_a_terminal_needs_its_yes(alice: Operator) -> None:
    assert "--yes" in alice.run("disconnect", "alice", "--purge", typed="y\n", code=1).stderr
    assert alice.user("alice")["status"] == "connected"
    alice.run("disconnect", "alice", "--purge", "--yes")
    assert alice.json("status")["users"] == []
    alice.run("contacts", "list", "alice", code=3)
    with store(alice) as db:
        assert rows(db, "SELECT id FROM contacts UNION SELECT id FROM sync_runs") == []


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("\x04", 1), ("y\n", 0)])
def test_a_purge_at_a_terminal_asks(alice: Operator, answer: str, code: int) -> None:
    assert at_a_terminal(alice, "disconnect", "alice", "--purge", answer=answer) == code
    assert len(alice.json("status")["users"]) == (code != 0)


def test_who_was_disconnected_can_still_be_purged(alice: Operator) -> None:
    alice.run("disconnect", "alice")
    alice.run("disconnect", "alice", "--purge", "--yes")
    alice.run("disconnect", "alice", "--purge", "--yes", code=3)


def test_nobody_is_not_asked_about(operator: Operator) -> None:
    operator.run("disconnect", "nobody", "--purge", code=3)
