"""Everybody at a glance: one look at the store, and what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts_sync.health.almanac import Almanac
from contacts_sync.health.causes import Cause, causes
from contacts_sync.health.load import AHEAD, Minute, Present, by_minute
from contacts_sync.health.verdicts import Health, health_of
from contacts_sync.model import Node, Pause, Schedule
from contacts_sync.sections import Health as HealthSettings
from contacts_sync.sections import Schedule as ScheduleSettings
from contacts_sync.store import deliveries, health, interval_schedules, nodes, workload
from contacts_sync.store.deliveries import Backlog
from contacts_sync.store.engine import Transaction
from contacts_sync.store.health import Census, Sign, Yardstick
from contacts_sync.store.workload import Queue, Recent

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fleet:
    """How everybody is at one instant.

    `meeting` users have a success within the freshness objective; `most_stale` is whose copy is the oldest, and
    since when.
    """

    at: datetime
    users: int
    by_health: Mapping[Health, int]
    meeting: int
    most_stale: tuple[str, datetime] | None
    causes: tuple[Cause, ...]
    pause: Pause | None
    queue: Queue
    last_hour: Recent
    next_hour: tuple[Minute, ...]
    nodes: tuple[Node, ...]
    alerts: Backlog

    @property
    def fresh(self) -> int:
        """How many users are fresh."""
        return self.by_health[Health.FRESH]

    @property
    def share_meeting(self) -> float:
        """The share of users that meet the freshness objective; 1 where there are none."""
        return self.meeting / self.users if self.users else 1.0


def survey(
    tx: Transaction, almanac: Almanac, settings: HealthSettings, schedule: ScheduleSettings, now: datetime
) -> Fleet:
    """Look at the store once."""
    by, present = yardstick(tx, almanac, settings, schedule, now)
    counted = health.census(tx, by)
    users = sum(one.users for one in counted)
    pause = nodes.pause(tx)
    return Fleet(
        at=now,
        users=users,
        by_health=by_health(counted, all_paused=pause is not None),
        meeting=sum(one.users for one in counted if Sign.STALE not in one.signs),
        most_stale=health.most_stale(tx),
        causes=tuple(causes(health.troubles(tx, by), pause, users)),
        pause=pause,
        queue=workload.queue(tx, now),
        last_hour=workload.recent(tx, now - HOUR),
        next_hour=tuple(
            by_minute(
                almanac,
                Present(present, interval_schedules.herds(tx, now + AHEAD)),
                workload.waiting_by_minute(tx, now, now + AHEAD),
                spread=schedule.spread,
                now=now,
                ahead=AHEAD,
            )
        ),
        nodes=tuple(nodes.every(tx)),
        alerts=deliveries.backlog(tx),
    )


def yardstick(
    tx: Transaction, almanac: Almanac, settings: HealthSettings, schedule: ScheduleSettings, now: datetime
) -> tuple[Yardstick, list[tuple[Schedule, int]]]:
    """By what everybody is measured now, and the schedules there are with their numbers of users."""
    default = Schedule(schedule.cron, schedule.timezone)
    present = health.schedules(tx, default)
    done_by = now - settings.grace - schedule.spread
    deadlines = almanac.deadlines((one for one, _ in present), done_by)
    return Yardstick(default, deadlines, now - settings.fresh_within, done_by), present


def by_health(counted: Iterable[Census], *, all_paused: bool) -> dict[Health, int]:
    """How many users are in each state of health; all states are there."""
    numbers = dict.fromkeys(Health, 0)
    for one in counted:
        numbers[health_of(one.signs, all_paused=all_paused)] += one.users
    return numbers
