"""A user at intervals as an operator meets one: real commands, a real daemon, the sandbox in Google's place."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contacts_sync.model import IntervalSchedule
from contacts_sync.sandbox import Sandbox
from contacts_sync.store import interval_schedules, tables
from contacts_sync.store.engine import close, open_database, read, write
from tests.launcher import Launcher
from tests.operating import Operator, mirror, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def alice(tmp_path: Path, google: Sandbox, launcher: Launcher) -> Operator:
    """Connected, synced, adaptive."""
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    google.world.add_account(ALICE).add_people(3)
    operator.init()
    operator.connect("alice", "--adaptive", "--timezone", "Europe/Berlin", account=ALICE)
    operator.run("run-now", "alice")
    return operator


def as_if_it_were_time(operator: Operator, late: timedelta = timedelta(0)) -> IntervalSchedule:
    """The user's slots come earlier by just so much that the next one was to begin `late` ago."""
    db = open_database(operator.url)
    with read(db) as tx:
        schedule = interval_schedules.get(tx, "alice")
    assert schedule is not None
    assert schedule.next_slot_at is not None
    earlier = schedule.next_slot_at - datetime.now(UTC).replace(second=0, microsecond=0) + late
    with write(db) as tx:
        moved = {"slot_at": schedule.slot_at - earlier, "next_slot_at": schedule.next_slot_at - earlier}
        tx.execute(tables.interval_schedules.update().values(moved))
    close(db)
    return schedule


def explained(operator: Operator) -> dict[str, Any]:
    return operator.json("schedule", "explain", "alice")


def ended(operator: Operator, trigger: str) -> list[dict[str, Any]]:
    return [run for run in operator.runs("--status", "succeeded") if run["trigger"] == trigger]


def test_an_adaptive_user_is_synced_when_due_and_what_is_found_decides_when_again(alice: Operator) -> None:
    assert explained(alice)["interval"] == "1d"
    with alice.daemon():
        as_if_it_were_time(alice)
        wait_until(lambda: len(ended(alice, "schedule")) == 1)
        quiet = explained(alice)
        alice.google.world.account(ALICE).add_people(1)
        as_if_it_were_time(alice, late=timedelta(minutes=7))
        wait_until(lambda: len(ended(alice, "schedule")) == 2)
    assert "Europe/Berlin: adaptive, 1 quiet run, interval 36 h" in quiet["explanation"]
    assert (explained(alice)["interval"], explained(alice)["quiet_runs"]) == ("18h", 0)
    mirror(alice, "alice", ALICE)


def test_days_after_a_kill_are_one_catch_up_and_no_slot_comes_twice(alice: Operator) -> None:
    with alice.daemon() as daemon:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(30)
    as_if_it_were_time(alice, late=timedelta(days=4))
    for _ in range(2):
        with alice.daemon():
            wait_until(lambda: ended(alice, "catch_up"))
    (run,) = ended(alice, "catch_up")
    assert run["slot"].endswith("[UTC]")
    assert ended(alice, "schedule") == []
    assert explained(alice)["next_run_at"] > run["finished_at"]
