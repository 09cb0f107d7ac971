"""The real daemon and a real dead man's switch on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from tests.alerts.receiver import Receiver, receiving
from tests.operating import Operator, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture
def switch() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def operator(tmp_path: Path, switch: Receiver) -> Iterator[Operator]:
    with Sandbox() as google:
        for email in (ALICE, BOB):
            google.world.add_account(email).add_people(3)
        newcomer = Operator(
            tmp_path, google, f"sqlite:///{tmp_path}/store.db", ALERTS__ALLOW_HOSTS="localhost", PING__URL=switch.url
        )
        newcomer.init()
        yield newcomer


def journal(operator: Operator) -> str:
    return (operator.home / "daemon.log").read_text()


def test_a_round_is_told_once_however_often_the_daemon_starts(operator: Operator, switch: Receiver) -> None:
    operator.connect("alice", account=ALICE)
    for _ in range(2):
        with operator.daemon():
            wait_until(lambda: "" in switch.paths)
            wait_until(lambda: operator.runs("--status", "succeeded"))
    assert switch.paths == ["/start", ""]
    assert switch.received[0].body == "contacts-sync: the daily syncs of 1 user have begun\n"
    assert "s3cr3t" not in journal(operator) + "".join(operator.transcript)
