"""The only room that knows APScheduler: one job a connected user, whose firing is put on a queue.

APScheduler is a clock here, the store is the truth: jobs live in memory and are rebuilt from the store, nothing
is ever dropped as a misfire, firing takes no thread, and which slot a firing stands for is computed from the
timetable by the reader of the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from inspect import signature
from queue import SimpleQueue

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from contacts_sync.daemon.reconcile import Reconciliation
from contacts_sync.timetable import Timetable

JOB_ID = "google-contacts-sync-{}"


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 ships no types
    """Fires at a timetable's slots. One object serves all users with the same timetable."""

    __slots__ = ("_span", "timetable")

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self._span: tuple[datetime, datetime] | None = None  # between these two no slot begins

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first slot that is still to come: those that have gone by since the previous firing are one firing.

        A clock that was years behind is set right without counting the slots of those years.
        """
        after = max(previous_fire_time or now, now)
        if self._span is None or not self._span[0] <= after < self._span[1]:
            self._span = after, self.timetable.next_after(after).at
        return self._span[1]


def _putting_into(fired: SimpleQueue[str]) -> Callable[[str], None]:
    """What every job calls. APScheduler asks for its signature once a job, and Python works it out anew each time."""

    def fire(user: str) -> None:
        fired.put(user)

    fire.__signature__ = signature(fire)  # type: ignore[attr-defined]  # where inspect looks first
    return fire


class Scheduler:
    """Jobs by user id. `fired` receives the user ids whose slot has come."""

    def __init__(self, fired: SimpleQueue[str]) -> None:
        self.fired = fired
        self._fire = _putting_into(fired)
        self._triggers: dict[str, SlotTrigger] = {}
        self._shared: dict[Timetable, SlotTrigger] = {}
        self._jobs = MemoryJobStore()
        self._clock = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": self._jobs},
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def present(self) -> Mapping[str, Timetable]:
        """The timetables of the users that have a job."""
        return {user: trigger.timetable for user, trigger in self._triggers.items()}

    def __len__(self) -> int:
        return len(self._triggers)

    @property
    def next_at(self) -> datetime | None:
        """When the next job fires; None without jobs."""
        at: datetime | None = self._jobs.get_next_run_time()
        return at

    def timetable_of(self, user: str) -> Timetable | None:
        """The timetable of a user that has a job."""
        trigger = self._triggers.get(user)
        return trigger.timetable if trigger else None

    def start(self) -> None:
        """Begin to fire. Jobs added before are cheaper than jobs added after."""
        self._clock.start()

    def stop(self) -> None:
        """Fire no more."""
        if self._clock.running:
            self._clock.shutdown(wait=False)

    def look_again(self) -> None:
        """Compare due times with the wall clock now: the scheduler's own wait is blind to a suspended host."""
        self._clock.wakeup()

    def carry_out(self, todo: Reconciliation) -> None:
        """Add, replace and remove jobs."""
        for user in todo.remove:
            self._clock.remove_job(JOB_ID.format(user))
            del self._triggers[user]
        for user, timetable in {**todo.add, **todo.replace}.items():
            self._put(user, timetable)

    def plan_anew(self, now: datetime) -> None:
        """Compute every next firing again, as after a clock that was set back to `now`."""
        for user, trigger in self._triggers.items():
            self._put(user, trigger.timetable, next_run_time=trigger.get_next_fire_time(None, now))

    def _put(self, user: str, timetable: Timetable, **more: datetime) -> None:
        trigger = self._shared.setdefault(timetable, SlotTrigger(timetable))
        self._triggers[user] = trigger
        self._clock.add_job(self._fire, trigger, args=(user,), id=JOB_ID.format(user), replace_existing=True, **more)
