"""Keeps the scheduler in step with the store, and turns firings and missed slots into queued runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from queue import Empty, SimpleQueue

from contacts_sync import intervals, logs
from contacts_sync.config import Schedule as ScheduleSettings
from contacts_sync.daemon.reconcile import reconcile, wanted
from contacts_sync.daemon.scheduler import Scheduler
from contacts_sync.errors import typed
from contacts_sync.model import Connection, IntervalSchedule, RunKind, Schedule, Trigger
from contacts_sync.store import connections, interval_schedules, runs
from contacts_sync.store.engine import Database, Transaction, read, write
from contacts_sync.timetable import Slot, Timetable, spread_offset

log = logs.get_logger()

LOOKBACK = timedelta(days=366)  # a firing stands for the newest slot, even of a yearly schedule
SOONEST_NOTICE = timedelta(minutes=5)  # a change of schedules is noticed by then, however busy the daemon is
ON_TIME = timedelta(minutes=1)
LONGEST_BATCH = 1_000  # firings inserted in one transaction, so that others get their turn at the store


class Planner:
    """What the daemon knows about schedules between two looks at the store."""

    def __init__(self, db: Database, settings: ScheduleSettings, scheduler: Scheduler) -> None:
        self._db = db
        self._scheduler = scheduler
        self._fired: SimpleQueue[str] = scheduler.fired
        self._settings = settings
        self._version: tuple[int, int] | None = None
        self._broken: dict[str, str] = {}
        self._due: dict[str, None] = {}
        self._at_intervals: set[str] = set()

    def start(self, now: datetime) -> None:
        """Build all jobs, queue what was missed, begin to fire."""
        known = self.refresh(now)
        self._begin_anew(now)
        if self._settings.catch_up:
            self._catch_up(known, now)
        else:
            self._leave_out_missed(now)
        self._scheduler.start()

    def use(self, settings: ScheduleSettings) -> None:
        """Go on with reloaded settings."""
        self._settings, self._version = settings, None

    def refresh(self, now: datetime) -> list[Connection]:
        """Reconcile the jobs with the store, if connections or schedules have changed since the last time."""
        with read(self._db) as tx:
            version = connections.change_version(tx), connections.count(tx)
            if version == self._version:
                return []
            known, self._at_intervals = connections.every(tx), interval_schedules.users(tx)
        plan = wanted(known, Schedule(self._settings.cron, self._settings.timezone), self._at_intervals)
        self._scheduler.carry_out(reconcile(plan.timetables, self._scheduler.present))
        self._tell_broken(dict(plan.broken))
        self._version = version
        self._due.update(dict.fromkeys(self._came_meanwhile(known, now)))
        return known

    def queue_fired(self, now: datetime) -> int:
        """Queue a run for every firing since the last time; the answer is how many runs are new."""
        self._due.update(dict.fromkeys(_drain(self._fired)))
        items = [item for user in self._due if (item := self._firing(user, now)) is not None]
        created = self._queue(items, now)
        self._due.clear()  # only now: a store in trouble must not lose a firing
        return created

    def queue_due(self, now: datetime) -> int:
        """Queue a run for users who are due at intervals, a batch at a time; the answer is how many runs are new.

        The store knows who is due: each run, wherever it ends, moves its user's next slot.
        """
        return self._queue_at_intervals(self._due_at_intervals(now), now, Trigger.SCHEDULE)

    @property
    def users(self) -> int:
        """How many users have a schedule that is carried out."""
        return len(self._scheduler) + len(self._at_intervals)

    def next_at(self, tx: Transaction) -> datetime | None:
        """When the next user is due."""
        coming = (self._scheduler.next_at, interval_schedules.next_at(tx))
        return min((at for at in coming if at is not None), default=None)

    def look_again(self) -> None:
        """Compare due times with the wall clock now."""
        self._scheduler.look_again()

    def plan_anew(self, now: datetime) -> None:
        """The wall clock was set back to `now`: compute all next firings again."""
        self._scheduler.plan_anew(now)
        self._begin_anew(now)

    def stop(self) -> None:
        """Fire no more."""
        self._scheduler.stop()

    def _firing(self, user: str, now: datetime) -> runs.Wanted | None:
        timetable = self._scheduler.timetable_of(user)
        slot = newest_slot(timetable, now) if timetable else None
        return self._wanted(user, slot, Trigger.SCHEDULE, now) if slot else None

    def _wanted(self, user: str, slot: Slot, trigger: Trigger, now: datetime) -> runs.Wanted:
        return runs.Wanted(
            user_id=user,
            trigger=trigger,
            slot=slot.label,
            not_before=place_of(user, slot, self._settings.spread, now),
            kind=RunKind.INCREMENTAL,
        )

    def _came_meanwhile(self, known: Iterable[Connection], now: datetime) -> Iterator[str]:
        """Users with a slot between the change of their schedule and the moment it was noticed."""
        for connection in known:
            timetable = self._scheduler.timetable_of(connection.user_id)
            if timetable and now - SOONEST_NOTICE < connection.scheduled_since < now:
                slot = newest_slot(timetable, now)
                if slot and slot.at > connection.scheduled_since:
                    yield connection.user_id

    def _catch_up(self, known: Iterable[Connection], now: datetime) -> None:
        """One run for the newest slot a user has missed, however many there were."""
        with read(self._db) as tx:
            covered = runs.latest_slots(tx)
        items = [
            self._wanted(connection.user_id, slot, Trigger.CATCH_UP, now)
            for connection in known
            if (timetable := self._scheduler.timetable_of(connection.user_id))
            and (slot := _missed(timetable, connection, covered.get(connection.user_id), now))
        ]
        queued = self._queue(items, now)
        while due := self._due_at_intervals(now):
            queued += self._queue_at_intervals(due, now, Trigger.CATCH_UP)
        if queued:
            log.info("missed_runs_queued", users=queued)

    def _due_at_intervals(self, now: datetime) -> list[IntervalSchedule]:
        with read(self._db) as tx:
            return interval_schedules.due(tx, now, LONGEST_BATCH)

    def _queue_at_intervals(self, due: Iterable[IntervalSchedule], now: datetime, trigger: Trigger) -> int:
        moves = [(one, *intervals.queued(one, now)) for one in due]
        if not moves:
            return 0
        items = [_at_interval(before.user_id, slot, trigger) for before, slot, _ in moves]
        with write(self._db) as tx:
            created = runs.enqueue_many(tx, items, now)
            interval_schedules.move_on(tx, [(before, after) for before, _, after in moves])
        return created

    def _leave_out_missed(self, now: datetime) -> None:
        while due := self._due_at_intervals(now):
            with write(self._db) as tx:
                interval_schedules.move_on(tx, [(one, intervals.queued(one, now)[1]) for one in due])

    def _begin_anew(self, now: datetime) -> None:
        """Who is due only when a clock that was wrong comes round again, is due from now on."""
        with read(self._db) as tx:
            ahead = interval_schedules.ahead(tx, now)
        if ahead:
            with write(self._db) as tx:
                interval_schedules.move_on(tx, [(one, intervals.set_back(one, now)) for one in ahead])

    def _queue(self, items: list[runs.Wanted], now: datetime) -> int:
        created = 0
        for start in range(0, len(items), LONGEST_BATCH):
            with write(self._db) as tx:
                created += runs.enqueue_many(tx, items[start : start + LONGEST_BATCH], now)
        return created

    def _tell_broken(self, broken: dict[str, str]) -> None:
        for user, why in broken.items():
            if self._broken.get(user) != why:
                log.error(
                    "schedule_broken",
                    user=user,
                    error=why,
                    hint=f"contacts-sync schedule set --cron '0 2 * * *' {typed(user)}",
                )
        self._broken = broken


def _at_interval(user: str, slot: Slot, trigger: Trigger) -> runs.Wanted:
    """A run of a user whose own minute is spread already."""
    return runs.Wanted(user_id=user, trigger=trigger, slot=slot.label, not_before=slot.at)


def _missed(timetable: Timetable, connection: Connection, covered: datetime | None, now: datetime) -> Slot | None:
    since = max(connection.scheduled_since, covered or connection.scheduled_since)
    newest = newest_slot(timetable, now)
    return newest if newest is not None and newest.at > since else None


@lru_cache(maxsize=1024)
def newest_slot(timetable: Timetable, now: datetime) -> Slot | None:
    """The slot that a firing at `now`, or a start at `now`, stands for. A herd asks it for the same instant."""
    return timetable.latest(now, since=now - LOOKBACK)


def place_of(user: str, slot: Slot, window: timedelta, now: datetime) -> datetime:
    """When a user's run for a slot may begin: at the user's place in the window that follows the slot.

    A herd whose places have gone by, after an outage or a suspend, is spread over the same window from now on.
    """
    offset = spread_offset(user, window)
    missed = slot.at + offset < now - ON_TIME
    return now + offset if missed and offset else slot.at + offset


def _drain(fired: SimpleQueue[str]) -> Iterator[str]:
    while True:
        try:
            yield fired.get_nowait()
        except Empty:
            return
