"""The daemon's loop: one thread that looks, plans, claims and beats; everything slow happens in the workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from queue import SimpleQueue

from contacts_sync import logs
from contacts_sync.alerts.hooks import Hooks
from contacts_sync.config import Config
from contacts_sync.daemon import workers
from contacts_sync.daemon.notify import tell_systemd, watchdog_interval
from contacts_sync.daemon.planner import Planner
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.daemon.scheduler import Scheduler
from contacts_sync.daemon.steps import Steps
from contacts_sync.errors import ContactsSyncError, StoreGone, StoreUnavailable
from contacts_sync.model import Outcome, Run
from contacts_sync.store import nodes, runs, wrong_clock
from contacts_sync.store.engine import Watch, read, write
from contacts_sync.sync.desk import Desk

log = logs.get_logger()

SHORTEST_LOOK = timedelta(milliseconds=250)  # how soon a signal is noticed
LOOK_FOR_DUE = timedelta(seconds=1)  # users at intervals, of whom the store knows
LOOK_AGAIN = timedelta(seconds=20)  # the scheduler compares its due times with the clock at least as often
TIDY_EVERY = timedelta(hours=1)
STUCK_AFTER = timedelta(minutes=2)  # past its deadline a run is stopped at the next page: a worker that isn't, hangs
LAST_PAGE = timedelta(seconds=5)  # for runs to reach a page boundary once they are told to stop
RELOADABLE = ("schedule", "sync", "history", "health", "alerts", "log")


class Loop:
    """One daemon's state. `turn` is called again and again by the main thread."""

    def __init__(self, config: Config, desk: Desk, load: Callable[[], Config]) -> None:
        self._config = config
        self.pulse = Pulse()
        self._desk = desk
        self._load = load
        self._wake = threading.Event()
        self._hooks = Hooks(config.hooks)
        self.pulse.hooks = self._hooks.tally
        self._crew = workers.Crew(desk, config.sync.workers, self._wake, self._ran)
        self._planner = Planner(desk.db, config.schedule, Scheduler(SimpleQueue()))
        self._node = workers.node_of(desk, role="daemon")
        self._last: dict[str, float] = {}
        self._steps = Steps(desk.clock())
        self._was_set_back = False
        self._changed = threading.Event()
        self._watchdog = watchdog_interval()

    @property
    def config(self) -> Config:
        """The configuration as it holds now."""
        return self._config

    # -- life

    def start(self) -> None:
        """Take over: dead workers' runs, schedules, missed slots; then watch the store for changes."""
        self._tell_ended(workers.rescue(self._desk))
        self._beat()
        self._set_times_right()
        self._planner.start(self._desk.clock())
        self._put_off_tidying()
        self.pulse.reconciled = True
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        log.info("daemon_started", worker_id=self._desk.worker_id, workers=self._config.sync.workers)

    def turn(self) -> None:
        """Wait until something may have changed, then do what is due. Trouble with the store is said and outlived.

        Raises `StoreGone`: a daemon that went on would seem to work, on what nobody can read.
        """
        woken = self._wake.wait(min(SHORTEST_LOOK, self._config.daemon.poll_interval).total_seconds())
        self._wake.clear()
        began = time.monotonic()
        try:
            self._do_what_is_due(woken=woken)
            self.pulse.store_trouble = None
        except StoreUnavailable as trouble:
            self._tell_once(trouble)
        except StoreGone:
            raise
        except Exception:
            log.exception("daemon_error")
        self._tell_pulse(time.monotonic() - began)
        self._pet_watchdog()

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        """Start nothing more; let running runs finish within the grace, else stop them at a page boundary."""
        self.pulse.stopping = True
        self._planner.stop()
        log.info("daemon_stopping", running=self._crew.busy)
        grace = time.monotonic() + self._config.daemon.shutdown_grace.total_seconds()
        while (self._crew.busy or self._hooks.busy) and time.monotonic() < grace and not hurry():
            self._wake.wait(SHORTEST_LOOK.total_seconds())
            self._wake.clear()
            self._every("heartbeat", self._config.daemon.heartbeat, lambda: _try(self._beat, SHORTEST_LOOK))
            self._pet_watchdog()
        self._desk.stop.set()
        self._crew.dismiss(LAST_PAGE)
        self._hooks.close()
        if not _try(self._leave, LAST_PAGE):
            log.error("store_unavailable", hint="the runs it held are taken back at the next start")

    def _leave(self) -> None:
        """Hold nothing any more."""
        with write(self._desk.db, durable=True) as tx:
            put_back = runs.release(tx, self._desk.worker_id, self._desk.clock())
            nodes.leave(tx, self._desk.worker_id)
        log.info("daemon_stopped", put_back=put_back)

    def reload(self) -> None:
        """Take over what can change while running; name what needs a restart; keep the old settings if bad."""
        try:
            fresh = self._load()
        except ContactsSyncError as error:
            log.error("reload_refused", error=str(error), hint=error.hint)
            return
        kept = [section for section in fresh.sections() if section not in RELOADABLE and self._differs(section, fresh)]
        self._config = replace(self._config, **{section: getattr(fresh, section) for section in RELOADABLE})
        self._crew.desk = self._desk = replace(self._desk, settings=fresh.sync)
        self._crew.resize(fresh.sync.workers)
        self._planner.use(fresh.schedule)
        logs.set_level(fresh.log.level)
        with write(self._desk.db) as tx:
            nodes.probe_now(tx, self._desk.clock())
        log.info("configuration_reloaded", needs_restart=kept)

    def _differs(self, section: str, fresh: Config) -> bool:
        return bool(getattr(fresh, section) != getattr(self._config, section))

    # -- what is due

    def _do_what_is_due(self, *, woken: bool) -> None:
        self._look_at_the_clock()
        self._every("heartbeat", self._config.daemon.heartbeat, self._beat)
        self._every("look", LOOK_AGAIN, self._planner.look_again)
        if self._was_set_back:
            self._set_times_right()
        if self._changed.is_set():
            self._changed.clear()
            self._planner.refresh(self._desk.clock())
        self._crew.put_back_unrecorded()
        queued = self._planner.queue_fired(self._desk.clock())
        if self._is_due("intervals", LOOK_FOR_DUE):
            queued += self._planner.queue_due(self._desk.clock())
        if woken or queued or self._is_due("claim", self._config.daemon.poll_interval):
            self._claim()
        self._every("tidy", TIDY_EVERY, self._tidy)

    def _claim(self) -> None:
        while workers.claim_for(self._crew):
            pass

    def _beat(self) -> None:
        taken = workers.beat(self._desk, self._node)
        self.pulse.taken_back += len(taken)
        self._tell_ended(taken)
        with read(self._desk.db) as tx:
            queued, at = runs.queued(tx), self._planner.next_at(tx)
        due = f"{at:%Y-%m-%d %H:%M:%SZ}" if at else "none"
        tell_systemd(f"STATUS={self._planner.users} users, {queued} queued, {self._crew.busy} running, next run {due}")

    def _look_at_the_clock(self) -> None:
        """A suspended host or a clock set forward: look for due slots. A clock set back: plan all slots again."""
        now = self._desk.clock()
        step = self._steps.latest(now)
        if not step:
            return
        log.warning("clock_was_set", seconds_ahead=round(step.total_seconds()))
        if step < timedelta(0):
            self._was_set_back = True
            self._planner.plan_anew(now)
        self._planner.look_again()
        self._last.pop("heartbeat", None)  # now: it asks the server for its time, and renews leases by that
        self._put_off_tidying()

    def _set_times_right(self) -> None:
        """Let nothing wait for a time that only a clock set wrong can have meant."""
        with write(self._desk.db) as tx:
            corrected = wrong_clock.set_right(tx, self._desk.clock(), longest_wait=self._config.schedule.spread)
        self._was_set_back = False
        if corrected:
            log.warning("wrong_times_corrected", rows=corrected)

    def _put_off_tidying(self) -> None:
        """History that a wrong clock forgets is gone for good: a clock that has just started or moved may be one."""
        self._last["tidy"] = time.monotonic()

    def _tidy(self) -> None:
        """Forget old history, as configured."""
        now, history = self._desk.clock(), self._config.history
        with write(self._desk.db) as tx:
            pruned = runs.prune(
                tx,
                succeeded_before=now - history.keep_succeeded if history.keep_succeeded else None,
                failed_before=now - history.keep_failed if history.keep_failed else None,
            )
        if pruned:
            log.info("history_pruned", runs=pruned)

    def _watch(self) -> None:
        """A thread of its own: waits for the store to change, however long a turn of the loop takes."""
        watch = Watch(self._desk.db)
        while not self._desk.stop.is_set():
            try:
                changed = watch.wait(self._config.daemon.poll_interval, self._desk.stop)
            except (StoreUnavailable, StoreGone):  # the loop meets the same trouble, and tells
                self._desk.stop.wait(self._config.daemon.poll_interval.total_seconds())
                continue
            if changed:
                self._changed.set()
                self._wake.set()
        watch.close()

    def _ran(self, outcome: Outcome) -> None:
        self.pulse.ran(outcome)
        self._hooks.ran(outcome)

    def _tell_ended(self, taken: Iterable[Run]) -> None:
        """A run that takes its process along is ended by who takes it back."""
        for run in taken:
            self._hooks.tell(run)

    def _tell_once(self, trouble: StoreUnavailable) -> None:
        if str(trouble) != self.pulse.store_trouble:
            log.error("store_unavailable", error=str(trouble), hint=trouble.hint)
        self.pulse.store_trouble = str(trouble)

    def _tell_pulse(self, seconds: float) -> None:
        self.pulse.busy, self.pulse.workers = self._crew.busy, self._crew.size
        self.pulse.turned(seconds)

    def _pet_watchdog(self) -> None:
        if self._watchdog is not None and self._crew.is_moving(self._desk.settings.run_deadline + STUCK_AFTER):
            self._every("watchdog", self._watchdog / 2, lambda: tell_systemd("WATCHDOG=1"))

    def _every(self, what: str, interval: timedelta, do: Callable[[], object]) -> None:
        """Call `do` unless it was called less than `interval` of monotonic time ago."""
        if self._is_due(what, interval):
            do()

    def _is_due(self, what: str, interval: timedelta) -> bool:
        now = time.monotonic()
        due = now - self._last.get(what, float("-inf")) >= interval.total_seconds()
        if due:
            self._last[what] = now
        return due


def _try(do: Callable[[], object], patience: timedelta) -> bool:
    """True if `do` was done within `patience`: a daemon that stops doesn't wait for a locked store."""
    done = threading.Event()

    def work() -> None:
        with suppress(StoreUnavailable, StoreGone):
            do()
            done.set()

    threading.Thread(target=work, name="last-words", daemon=True).start()
    return done.wait(patience.total_seconds())
