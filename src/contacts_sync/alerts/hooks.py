"""The operator's commands for ended runs: a short queue and two threads, so that no run ever waits for one.

A hook runs at most once, in the process that ended the run. What it does is its own affair: nothing that happens to
it happens to the sync.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import timedelta
from queue import SimpleQueue

from contacts_sync import logs
from contacts_sync.alerts.command import Ended, Ending, carry_out
from contacts_sync.alerts.events import Event, document, events_of, is_ours
from contacts_sync.model import Outcome, Run
from contacts_sync.sections import Hooks as HookSettings

log = logs.get_logger()

AT_ONCE = 2
MOST_WAITING = 1_000
TELL_EVERY = timedelta(minutes=1)
LOOK_EVERY = timedelta(milliseconds=50)
KILLED_WITHIN = timedelta(seconds=1)
DROPPED = "dropped"


class Hooks:
    """Tell it how runs ended. `tally` counts by `Ending`, and what was dropped."""

    def __init__(self, settings: HookSettings) -> None:
        self._commands = {
            Event.FAILURE: settings.on_failure,
            Event.SUCCESS: settings.on_success,
            Event.CHANGE: settings.on_change,
        }
        self._limit = settings.timeout
        self._queue: SimpleQueue[tuple[Event, Run] | None] = SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._lost = 0  # and not told yet
        self._tell_again_at = 0.0  # monotonic
        self.tally: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        """True while a command runs or waits."""
        return self._unfinished > 0

    def ran(self, outcome: Outcome) -> None:
        """A claim of a run has come to an end, here."""
        if is_ours(outcome):
            self.tell(outcome.run)

    def tell(self, run: Run) -> None:
        """A run stands as it is now: if that is an end, whoever wants to know is told. Never waits."""
        for event in events_of(run):
            if self._commands[event]:
                self._put(event, run)

    def finish(self, patience: timedelta) -> None:
        """Let the commands that run or wait come to their end, but no longer than that; then close."""
        until = time.monotonic() + patience.total_seconds()
        try:
            while self.busy and time.monotonic() < until:
                time.sleep(LOOK_EVERY.total_seconds())
        finally:
            self.close()

    def close(self) -> None:
        """Kill what runs, drop what waits."""
        self._stop.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(KILLED_WITHIN.total_seconds())
        self._tell_lost()

    def _put(self, event: Event, run: Run) -> None:
        with self._lock:
            if self._unfinished >= MOST_WAITING or self._stop.is_set():
                self._drop()
                return
            self._employ()
            self._unfinished += 1
            self._queue.put((event, run))

    def _drop(self) -> None:
        self.tally[DROPPED] += 1
        self._lost += 1
        if time.monotonic() >= self._tell_again_at:
            self._tell_lost()

    def _tell_lost(self) -> None:
        if self._lost:
            log.warning("hooks_dropped", events=self._lost, hint="runs end faster than hooks do, or the process stops")
        self._lost, self._tell_again_at = 0, time.monotonic() + TELL_EVERY.total_seconds()

    def _employ(self) -> None:
        """Two threads, once there is something to do."""
        while len(self._threads) < AT_ONCE:
            thread = threading.Thread(target=self._work, name=f"hook-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                self._drop_or_carry_out(*job)
            except Exception:
                log.exception("hook_error", hook=f"on_{job[0]}", run_id=job[1].id)
            finally:
                with self._lock:
                    self._unfinished -= 1

    def _drop_or_carry_out(self, event: Event, run: Run) -> None:
        if not self._stop.is_set():
            self._carry_out(event, run)
            return
        with self._lock:
            self._drop()

    def _carry_out(self, event: Event, run: Run) -> None:
        began = time.monotonic()
        told = f"{json.dumps(document(event, run))}\n".encode()
        ended = carry_out(self._commands[event], told, limit=self._limit, stop=self._stop)
        with self._lock:
            self.tally[str(ended.ending)] += 1
        _report(event, run, ended, time.monotonic() - began)


def _report(event: Event, run: Run, ended: Ended, seconds: float) -> None:
    facts = {"hook": f"on_{event}", "run_id": run.id, "user": run.user_id, "outcome": str(ended.ending)}
    said = {"why": ended.why} if ended.why else {}
    if ended.output:
        said["output"] = ended.output
    tell = log.warning if ended.ending is not Ending.SUCCEEDED else log.info if ended.output else log.debug
    tell("hook_finished", **facts, **said, seconds=round(seconds, 3))
