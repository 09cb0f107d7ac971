"""The real daemon, real receivers: what an operator is told, and how often."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox, faults
from tests.alerts.webhooks import SECRET, Webhook
from tests.cli.given import joined
from tests.launcher import Launcher
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"
SETTINGS = {"DAEMON__HEARTBEAT": "1s", "DAEMON__LEASE": "20s", "LOG__LEVEL": "debug", "SYNC__ATTEMPTS": "1"}


@pytest.fixture
def operator(tmp_path: Path, hook: Webhook, launcher: Launcher) -> Iterator[Operator]:
    alerts = {
        "ALERTS__URLS": hook.url,
        "ALERTS__ALLOW_HOSTS": "127.0.0.1",
        "ALERTS__RECOVERED_AFTER": "0s",
        "ALERTS__GROUP_WAIT": "0s",
    }
    with Sandbox() as google:
        newcomer = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher, **SETTINGS, **alerts)
        google.world.add_account(ALICE).add_people(3)
        newcomer.init()
        yield newcomer


def journal(operator: Operator) -> str:
    return (operator.home / "daemon.log").read_text()


def ended(operator: Operator, runs: int) -> None:
    wait_until(lambda: journal(operator).count('"run_finished"') >= runs)


def test_a_failing_user_is_told_once_through_a_restart_and_so_is_the_end(operator: Operator, hook: Webhook) -> None:
    operator.google.faults.add("people", faults.internal_error(), times=4)
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        ended(operator, 1)
        operator.run("run-now", "alice", code=1)
        operator.run("run-now", "alice", code=1)
        wait_until(lambda: hook.got)
    with operator.daemon():
        operator.run("run-now", "alice", code=1)
        operator.run("run-now", "alice")
        wait_until(lambda: len(hook.got) == 2)
    trouble = "alice: Google or the network failed"
    assert hook.titles == [f"contacts-sync: {trouble}", f"contacts-sync: over: {trouble}"]
    assert SECRET not in journal(operator)


def test_five_users_with_one_cause_are_one_message(operator: Operator, hook: Webhook) -> None:
    operator.environ |= {"CONTACTS_SYNC_ALERTS__GROUP_WAIT": "4s", "CONTACTS_SYNC_ALERTS__FAILURES_IN_A_ROW": "1"}
    operator.google.faults.add("people", faults.invalid_argument(), times=None)
    for user in "abcde":
        joined(operator, user)
    with operator.daemon():
        wait_until(lambda: hook.got)
        ended(operator, 5)
    assert hook.titles == ["contacts-sync: 5 users: Google refuses a request for good"]


def test_a_receiver_that_is_down_disturbs_nobody_and_is_seen(operator: Operator, hook: Webhook) -> None:
    hook.answers(503)
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        ended(operator, 1)
        operator.google.world.account(ALICE).revoke_grants()
        operator.run("run-now", "alice", code=4)
        wait_until(lambda: hook.requests >= 2)
        assert operator.json("status")["alerts"]["last_error"] == "error=503"
        operator.connect("alice", account=ALICE)
        ended(operator, 3)
        hook.answers(200)
        wait_until(lambda: len(hook.got) == 2)
    assert [title.partition(": ")[2] for title in hook.titles] == [
        "alice: permission gone: connect again",
        "over: alice: permission gone: connect again",
    ]
    assert SECRET not in journal(operator) + "".join(operator.transcript)


def test_sighup_takes_other_destinations_and_refuses_wrong_ones(operator: Operator, hook: Webhook) -> None:
    config = operator.home / "config.toml"
    config.write_text("")
    operator.environ["CONTACTS_SYNC_CONFIG"] = str(config)
    del operator.environ["CONTACTS_SYNC_ALERTS__URLS"]
    with operator.daemon() as daemon:
        config.write_text(f'[alerts]\nurls = ["slak://{SECRET}"]\n')
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload_refused" in journal(operator))
        config.write_text(f'[alerts]\nurls = ["{hook.url}"]\ndigest = "daily"\n')
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "alerts_on" in journal(operator))
    assert SECRET not in journal(operator)
