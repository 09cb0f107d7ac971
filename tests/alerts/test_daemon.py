"""The real daemon, real receivers: what an operator is told, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox, faults
from tests.alerts.receivers import Webhook, webhook
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture
def operator(tmp_path: Path, hook: Webhook) -> Iterator[Operator]:
    settings = {
        "ALERTS__URLS": hook.url,
        "ALERTS__RECOVERED_AFTER": "0s",
        "DAEMON__HEARTBEAT": "1s",
        "DAEMON__LEASE": "20s",
    }
    with Sandbox() as google:
        newcomer = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", **settings)
        newcomer.init()
        yield newcomer


def test_three_failures_in_a_row_are_one_message(operator: Operator, hook: Webhook) -> None:
    operator.google.world.add_account(ALICE)
    operator.google.faults.add("people", faults.internal_error(), times=None)
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        wait_until(lambda: operator.runs("--status", "failed"))
        operator.run("run-now", "alice", code=1)
        assert not hook.got
        operator.run("run-now", "alice", code=1)
        wait_until(lambda: hook.got)
        print(hook.got)
        operator.run("run-now", "alice", code=1)
    assert hook.titles == ["contacts-sync: alice: Google or the network failed"]
