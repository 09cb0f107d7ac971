"""A process that is stopped for longer than its lease and then goes on writes nothing any more."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest
from sqlalchemy import update

from contacts_sync.sandbox import faults
from contacts_sync.sandbox.faults import Stage
from contacts_sync.store.engine import write
from contacts_sync.store.tables import sync_runs
from tests.launcher import Launched
from tests.operating import wait_until
from tests.proof.audit import everything
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, exchanges_of, prepare, undisturbed
from tests.proof.scenarios import FULL, INCREMENTAL, REFRESH, RUN_NOW, Scenario
from tests.proof.stage import Scene

SHORT_LEASE = {"DAEMON__LEASE": "1s", "DAEMON__HEARTBEAT": "200ms"}
LOCKED = 75
PATIENCE_SECONDS = 60
SCENARIOS = [FULL, replace(INCREMENTAL, people=50), REFRESH]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_zombie_writes_nothing(setting: Setting, scenario: Scenario, whole: bool, say: Say) -> None:
    prepared = prepare(setting, scenario, **SHORT_LEASE)
    expected = undisturbed(prepared, scenario)
    instants = list(product(range(1, exchanges_of(prepared, scenario) + 1), Stage))
    chosen = instants if whole else instants[2::10]
    done = each(prepared, scenario, expected, outlived, chosen)
    say(f"zombies fenced, {scenario}, {setting.database}: {done} of {len(instants)}")


def outlived(scene: Scene, instant: tuple[int, Stage]) -> bool:
    """Stop a `run-now` at an instant, let another one do its work, let the first go on, and see what it changes.

    As pages are read ahead, it may have been stopped amid a transaction: whoever comes then is told that the store is
    locked. It is stopped anew once that transaction has ended, and Google doesn't answer it meanwhile; False for one
    that had its answer already, and is met amid the next transaction.
    """
    nth, stage = instant
    victim: SimpleQueue[Launched] = SimpleQueue()
    goes_on = Event()

    def strike() -> None:
        stop(victim.get(timeout=20))
        goes_on.wait(PATIENCE_SECONDS)

    scene.google.faults.add("any", faults.at(stage, strike), nth=nth)
    rule = scene.google.faults._rules[-1]
    zombie = scene.start(*RUN_NOW)
    victim.put(zombie)
    try:
        wait_until(lambda: rule.struck and is_stopped(zombie))
        other = scene.finish(RUN_NOW, scene.start(*RUN_NOW))
        if other.code == LOCKED:
            zombie.kill(signal.SIGCONT)
            wait_for_the_store(scene)
            stop(zombie)
            if zombie.ended.is_set():
                return False
            other = scene.finish(RUN_NOW, scene.start(*RUN_NOW))
        with scene.database() as db:
            before = everything(db)
        zombie.kill(signal.SIGCONT)
        goes_on.set()
        ended = zombie.wait(20)
    finally:
        goes_on.set()
        zombie.kill()
    assert ended.code == 0, ended
    if other.code == LOCKED:
        return False
    assert other.code == 0, other
    with scene.database() as db:
        assert everything(db) == before
    return True


def wait_for_the_store(scene: Scene) -> None:
    with scene.database(copied=False) as db, write(db) as tx:
        tx.execute(update(sync_runs).values(starts=sync_runs.c.starts))


def stop(process: Launched) -> None:
    process.kill(signal.SIGSTOP)
    wait_until(lambda: process.ended.is_set() or is_stopped(process))


def is_stopped(process: Launched) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False
