"""SIGTERM at any instant: the daemon ends with 0 within ten seconds, and its run is in the queue again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from queue import SimpleQueue

from sqlalchemy import text

from contacts_sync.sandbox import Fault, faults
from contacts_sync.sandbox.faults import Gate, Stage
from contacts_sync.store.engine import write
from tests.inside import rows
from tests.launcher import Launched
from tests.operating import wait_until
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, prepare, undisturbed
from tests.proof.scenarios import FULL
from tests.proof.stage import Scene

LIMIT_SECONDS = 10
EXCHANGES = 4
HURRY = {"DAEMON__SHUTDOWN_GRACE": "0s", "SYNC__BACKOFF": "30s", "DAEMON__POLL_INTERVAL": "50ms"}


@dataclass(frozen=True, slots=True)
class Instant:
    """What the daemon's worker is about when the signal comes, at its `nth` exchange with Google.

    `stage`: the exchange doesn't go on before the daemon has noticed the signal. `fault`: nor does it after that.
    """

    what: str
    nth: int
    stage: Stage | None = None
    fault: Callable[[], Fault] = Fault
    locked: bool = False

    @property
    def may_succeed(self) -> bool:
        """The worker has all it needs already."""
        return self.nth == EXCHANGES or self.stage is Stage.END


NTH = range(1, EXCHANGES + 1)
INSTANTS = [
    *(Instant(stage.value, nth, stage) for nth, stage in product(NTH, Stage)),
    *(Instant("no answer", nth, fault=lambda: Fault(gate=Gate())) for nth in NTH),
    *(Instant("dripping body", nth, fault=lambda: faults.dripping(timedelta(milliseconds=50))) for nth in NTH),
    *(Instant("back-off", nth, fault=faults.unavailable) for nth in NTH),
    *(Instant("locked store", nth, Stage.BODY, locked=True) for nth in NTH),
]


def test_sigterm_at_any_instant(setting: Setting, whole: bool, say: Say) -> None:
    prepared = prepare(setting, FULL, **HURRY)
    expected = undisturbed(prepared, FULL)
    slowest: list[float] = []
    limit = LIMIT_SECONDS if whole else 3 * LIMIT_SECONDS  # a slice shares its machine with other tests

    def stop(scene: Scene, instant: Instant) -> bool:
        slowest.append(stopped_in(scene, instant, limit))
        return True

    done = each(prepared, FULL, expected, stop, INSTANTS if whole else INSTANTS[::7])
    say(f"SIGTERM, {setting.database}: {done} of {len(INSTANTS)} instants, the slowest stop took {max(slowest):.1f} s")


def stopped_in(scene: Scene, instant: Instant, limit: float) -> float:
    """Seconds from the signal to the end."""
    started: SimpleQueue[Launched] = SimpleQueue()
    signalled: SimpleQueue[float] = SimpleQueue()

    def signal_it() -> None:
        process = started.get(timeout=20)
        process.kill(signal.SIGTERM)
        signalled.put(time.monotonic())
        if not instant.locked:  # a daemon that waits for a lock notices nothing
            wait_until(lambda: "daemon_stopping" in process.stderr())

    with ExitStack() as stack:

        def act() -> None:
            if instant.locked:
                stack.enter_context(locked(scene))
            signal_it()

        fault = faults.at(instant.stage, act) if instant.stage else instant.fault()
        rule = scene.google.faults.add("any", fault, nth=instant.nth)
        daemon = scene.start("daemon")
        stack.callback(daemon.kill)
        started.put(daemon)
        if not instant.stage:
            wait_until(lambda: rule.struck)
            signal_it()
        since = signalled.get(timeout=30)
        ended = daemon.wait(60)
        seconds = time.monotonic() - since
    assert ended.code == 0, f"{instant}: {ended}"
    assert seconds < limit, f"{instant} took {seconds:.1f} s: {ended}"
    with scene.database() as db:
        [(status, attempts)] = rows(db, "SELECT status, attempts FROM sync_runs")
    if instant.locked:
        assert status in ("queued", "running"), f"{instant}: {status}"  # nothing can be written: the next start does it
        return seconds
    assert status == "queued" or (status == "succeeded" and instant.may_succeed), f"{instant}: {status}"
    assert attempts == 0 or status == "succeeded" or instant.what == "back-off", f"{instant}: {attempts} attempts"
    return seconds


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Somebody else writes, and takes very long."""
    with scene.database(copied=False) as db, write(db) as tx:
        if scene.url.startswith("postgresql"):
            tx.execute(text("LOCK TABLE sync_runs IN ACCESS EXCLUSIVE MODE"))
        yield
