"""The real daemon and a real dead man's switch on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from tests.alerts.receiver import Receiver
from tests.launcher import Launcher
from tests.operating import Operator, wait_until
from tests.postgres import Server

ALICE, BOB = "alice@example.com", "bob@example.com"


Starts = Callable[[str], Operator]


@pytest.fixture
def starting(tmp_path: Path, receiver: Receiver, launcher: Launcher) -> Iterator[Starts]:
    """An operator with a store at a URL, who has set the switch up."""
    with Sandbox() as google:
        for email in (ALICE, BOB):
            google.world.add_account(email).add_people(3)

        def start(url: str) -> Operator:
            newcomer = Operator(
                tmp_path, google, url, launcher, ALERTS__ALLOW_HOSTS="localhost", PING__URL=receiver.url
            )
            newcomer.init()
            return newcomer

        yield start


@pytest.fixture
def operator(starting: Starts, tmp_path: Path) -> Operator:
    return starting(f"sqlite:///{tmp_path}/store.db")


def journal(operator: Operator) -> str:
    return (operator.home / "daemon.log").read_text()


def test_a_round_is_told_once_however_often_the_daemon_starts(operator: Operator, receiver: Receiver) -> None:
    operator.environ["CONTACTS_SYNC_LOG__LEVEL"] = "debug"
    operator.connect("alice", account=ALICE)
    for _ in range(2):
        with operator.daemon():
            wait_until(lambda: "" in receiver.paths)
    assert receiver.paths == ["/start", ""]
    assert receiver.received[0].body == "contacts-sync: the daily syncs of 1 user have begun\n"
    assert "s3cr3t" not in journal(operator) + "".join(operator.transcript)


def test_two_daemons_tell_it_once(starting: Starts, postgres: Server, receiver: Receiver) -> None:
    operator = starting(postgres.new_database())
    operator.connect("alice", account=ALICE)
    with operator.daemon(), operator.daemon():
        wait_until(lambda: "" in receiver.paths)
    assert receiver.paths == ["/start", ""]


def test_a_user_whose_consent_is_gone_makes_it_a_fail(operator: Operator, receiver: Receiver) -> None:
    receiver.answers += [200, 503]
    operator.connect("alice", account=ALICE)
    operator.connect("bob", account=BOB)
    operator.google.world.account(BOB).revoke_grants()
    operator.run("run-now", "--all", code=4)
    with operator.daemon():
        wait_until(lambda: len(receiver.paths) == 3)
    assert receiver.paths == ["/start", "/fail", "/fail"]
    assert receiver.received[2].body.startswith(
        "contacts-sync: 1 of 2 users fresh\nby health: 1 fresh, 1 needs_reauth\n"
    )
    assert "1 user: permission gone: connect again (the user)" in receiver.received[2].body
    assert "pass  pings: fail of the round of" in operator.run("check").stdout
