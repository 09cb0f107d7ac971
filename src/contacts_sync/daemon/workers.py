"""Claims queued runs and runs them. The same code serves the daemon and `run-now` without one."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from queue import SimpleQueue

from contacts_sync import __version__, logs
from contacts_sync.daemon.liveness import dead_workers
from contacts_sync.errors import StoreGone, StoreUnavailable
from contacts_sync.model import Node, Outcome, Run, RunKind, RunStatus
from contacts_sync.store import nodes, runs, shared_clock
from contacts_sync.store.engine import read, write
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.ending import record, report
from contacts_sync.sync.run import carry_out

log = logs.get_logger()

AT_ONCE = 16  # a crew of so many times n workers claims for n of them together: a claim is a look and a transaction
LEAST_FULL, FULL_SHARE = 4, 4  # full syncs side by side: four, or a quarter of the workers
LOOK_EVERY = timedelta(milliseconds=200)
PATIENCE = timedelta(seconds=5)  # for runs to reach a page boundary after Ctrl-C


def new_worker_id() -> str:
    """Unique per process start, not per host: a restarted process must not be taken for the one before."""
    return f"{nodes.this_host()[0]}-{os.getpid()}-{secrets.token_hex(4)}"


class Crew:
    """A fixed number of worker threads. `ended` is told how it went after each run; `freed` is set once there is a
    handful of idle workers, in small crews after each run.

    Threads are daemonic: a run that hangs in a system call can't keep the process from exiting.
    """

    def __init__(
        self,
        desk: Desk,
        size: int,
        freed: threading.Event,
        ended: Callable[[Outcome], object] = lambda _outcome: None,
    ) -> None:
        self.desk = desk
        self._ended = ended
        self._size = 0
        self._freed = freed
        self._handed: SimpleQueue[Run | None] = SimpleQueue()
        self._busy = 0
        self._full = 0
        self._begun: dict[int, float] = {}  # monotonic seconds by run
        self._unrecorded: set[int] = set()
        self._lock = threading.Lock()
        self.resize(size)

    @property
    def busy(self) -> int:
        """Runs that are handed out and not finished."""
        return self._busy

    @property
    def size(self) -> int:
        """How many workers there are."""
        return self._size

    @property
    def idle(self) -> int:
        """How many more runs can start at once."""
        return max(0, self._size - self._busy)

    @property
    def idle_for_full(self) -> int:
        """How many full syncs more can start: a few at a time, lest their quota and the memory run out."""
        return max(0, min(self.idle, max(LEAST_FULL, self._size // FULL_SHARE) - self._full))

    def is_moving(self, longest: timedelta) -> bool:
        """False if every worker has been at its run for longer than a run can take: all of them hang."""
        with self._lock:
            begun = list(self._begun.values())
        return len(begun) < self._size or time.monotonic() - max(begun, default=0.0) < longest.total_seconds()

    def resize(self, size: int) -> None:
        """Have `size` workers from now on."""
        for number in range(self._size, size):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()
        for _ in range(size, self._size):
            self._handed.put(None)
        self._size = size

    def hand_out(self, claimed: Collection[Run]) -> None:
        """Give claimed runs to the workers."""
        with self._lock:
            self._busy += len(claimed)
            self._full += sum(run.kind is RunKind.FULL for run in claimed)
        for run in claimed:
            self._handed.put(run)

    def put_back_unrecorded(self) -> None:
        """Queue again the runs whose end the store didn't take. Raises `StoreUnavailable` while it still doesn't.

        Nobody else would: their leases are renewed as long as this process lives.
        """
        ids = frozenset(self._unrecorded)
        if ids:
            with write(self.desk.db) as tx:
                runs.release(tx, self.desk.worker_id, self.desk.clock(), ids)
            with self._lock:
                self._unrecorded -= ids

    def dismiss(self, patience: timedelta) -> bool:
        """Let the workers go; the answer is whether all had finished within `patience`."""
        self.resize(0)
        until = time.monotonic() + patience.total_seconds()
        while self._busy and time.monotonic() < until:
            self._freed.wait(min(LOOK_EVERY.total_seconds(), max(0.0, until - time.monotonic())))
            self._freed.clear()
        return self._busy == 0

    def _work(self) -> None:
        while (run := self._handed.get()) is not None:
            self._begun[run.id] = time.monotonic()
            recorded = False
            try:
                outcome = self._carry_out(run)
                recorded = outcome.run.status is not RunStatus.RUNNING
                self._ended(outcome)
            except Exception:
                log.exception("worker_error", run_id=run.id, user=run.user_id)
            finally:
                with self._lock:
                    self._busy -= 1
                    self._full -= run.kind is RunKind.FULL
                    self._begun.pop(run.id, None)
                    if not recorded:
                        self._unrecorded.add(run.id)
                if self._busy == 0 or self.idle >= self._size // AT_ONCE:
                    self._freed.set()

    def _carry_out(self, run: Run) -> Outcome:
        """A panic, such as those of libraries in Rust, is no `Exception`: it fails its run and ends no worker."""
        try:
            return carry_out(run, self.desk)
        except Exception:
            raise
        except BaseException as panic:  # noqa: BLE001  (the worker's thread would end, and nobody begins another)
            error = RuntimeError(f"{type(panic).__name__}: {panic}")
            error.__cause__ = panic
            outcome = Outcome(record(run, error, self.desk), error)
            with logs.bound(user=run.user_id, run_id=run.id):
                report(outcome)
            return outcome


def claim_for(crew: Crew, run_ids: Collection[int] | None = None) -> int:
    """Claim as many due runs as the crew has idle workers, and hand them out; the answer is their number."""
    desk = crew.desk
    if not crew.idle:
        return 0
    with read(desk.db, autocommit=True) as tx:
        if not runs.is_due(tx, desk.clock(), full_too=crew.idle_for_full > 0):
            return 0
    with write(desk.db, autocommit=True) as tx:
        claimed = runs.claim(
            tx,
            worker_id=desk.worker_id,
            now=desk.clock(),
            lease=desk.lease,
            limit=crew.idle,
            full_limit=crew.idle_for_full,
            run_ids=run_ids,
        )
    crew.hand_out(claimed)
    return len(claimed)


def run_here(desk: Desk, run_ids: Collection[int], ended: Callable[[Outcome], object] = lambda _outcome: None) -> None:
    """Carry out queued runs in this process, until each has ended, waits for its `not_before`, or is paused.

    A run that another live process has claimed is waited for. `ended` is told how each claim went. `desk.stop`, or
    an exception such as Ctrl-C, puts the runs of this process back into the queue.
    """
    freed = threading.Event()
    crew = Crew(desk, min(desk.settings.workers, len(run_ids)), freed, ended)
    with _on_duty(desk, ended):
        try:
            while not desk.stop.is_set() and (_unfinished(desk, run_ids) or crew.busy):
                crew.put_back_unrecorded()
                claim_for(crew, run_ids)
                freed.wait(LOOK_EVERY.total_seconds())
                freed.clear()
        finally:
            desk.stop.set()
            crew.dismiss(PATIENCE)


def _unfinished(desk: Desk, run_ids: Collection[int]) -> bool:
    with read(desk.db) as tx:
        current = runs.get_many(tx, run_ids)
        paused = nodes.pause(tx)
    now = desk.clock()
    probing = paused is None or paused.next_probe_at <= now
    return any(
        run.status is RunStatus.RUNNING or (run.status is RunStatus.QUEUED and run.not_before <= now and probing)
        for run in current
    )


@contextmanager
def _on_duty(desk: Desk, ended: Callable[[Outcome], object]) -> Iterator[None]:
    """Be known to the others, with leases kept alive, until the block ends; then leave nothing claimed."""
    for run in rescue(desk):
        ended(Outcome(run))
    node = node_of(desk, role="command")
    beat(desk, node)  # before anything is claimed: a run of a process that nobody knows would wait for its lease
    off_duty = threading.Event()
    keeper = threading.Thread(target=_keep_alive, args=(desk, node, off_duty), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        off_duty.set()
        keeper.join()
        with write(desk.db, durable=True) as tx:
            runs.release(tx, desk.worker_id, desk.clock())
            nodes.leave(tx, desk.worker_id)


def _keep_alive(desk: Desk, node: Node, off_duty: threading.Event) -> None:
    while not off_duty.wait(desk.heartbeat.total_seconds()):
        try:
            beat(desk, node)
        except (StoreUnavailable, StoreGone) as trouble:
            log.warning("heartbeat_failed", error=str(trouble))


def node_of(desk: Desk, *, role: str) -> Node:
    """This process, as the others see it."""
    host, boot_id = nodes.this_host()
    now = desk.clock()
    return Node(desk.worker_id, role, host, boot_id, os.getpid(), __version__, now, now)


def rescue(desk: Desk) -> list[Run]:
    """Put back into the queue, at once, what processes of this host held that are known to be dead.

    The answer is the runs that were taken back.
    """
    now = desk.clock()
    shared_clock.compare(desk.db, now)
    with write(desk.db) as tx:
        dead = dead_workers(nodes.every(tx), shared_clock.shared(tx, now), desk.heartbeat)
        taken = runs.take_back_dead(tx, dead, now)
        for worker_id in dead:
            nodes.leave(tx, worker_id)
    _tell_taken_back(taken)
    return taken


def beat(desk: Desk, node: Node) -> list[Run]:
    """Heartbeat: this node lives, its leases go on, and runs of silent workers go back into the queue.

    The answer is the runs that were taken back.
    """
    now = desk.clock()
    shared_clock.compare(desk.db, now)
    with write(desk.db) as tx:
        nodes.beat(tx, replace(node, heartbeat_at=now))
        runs.renew(tx, desk.worker_id, now, desk.lease)
        taken = runs.take_back(tx, now) if shared_clock.is_steady(desk.db, desk.lease) else []
    _tell_taken_back(taken)
    return taken


def _tell_taken_back(taken: Collection[Run]) -> None:
    for run in taken:
        log.warning("run_taken_back", user=run.user_id, run_id=run.id, status=str(run.status), starts=run.starts)
