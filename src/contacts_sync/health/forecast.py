"""What the hours to come ask of Google, and whether the configured quota holds it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from contacts_sync.health.almanac import Almanac
from contacts_sync.health.load import MINUTE, Minute, Present, by_minute
from contacts_sync.model import Schedule
from contacts_sync.sections import Schedule as ScheduleSettings
from contacts_sync.sections import Sync
from contacts_sync.store import connections, health, interval_schedules, workload
from contacts_sync.store.engine import Transaction
from contacts_sync.timetable import EARLIEST_FULL, LATEST_FULL

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUIET_RUN = 2  # requests: the labels, and one page of what changed
FULL_EVERY = (EARLIEST_FULL + LATEST_FULL) / 2


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour to come. `carried` requests of it, and of those before it, have to wait for the next one."""

    start: datetime
    runs: int
    requests: int
    peak_runs: int
    peak_requests: int
    carried: int

    @property
    def holds(self) -> bool:
        """False if there is more to ask than the quota of the hour allows."""
        return self.carried == 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The hours to come. `requests_a_run` is the mean; `largest_full` the requests of the largest user's full sync."""

    hours: tuple[Hour, ...]
    requests_a_run: float
    largest_full: int


def forecast(tx: Transaction, schedule: ScheduleSettings, sync: Sync, now: datetime, ahead: timedelta) -> Forecast:
    """Look at the store, and ahead. `ahead` is whole hours."""
    by_crontab = health.schedules(tx, Schedule(schedule.cron, schedule.timezone))
    minutes = by_minute(
        Almanac(),
        Present(by_crontab, interval_schedules.herds(tx, now + ahead)),
        workload.waiting_by_minute(tx, now, now + ahead),
        spread=schedule.spread,
        now=now,
        ahead=ahead,
    )
    pages = [max(1, ceil(count / sync.page_size)) for count in connections.contact_counts(tx).values()]
    users = sum(count for _, count in by_crontab) + len(interval_schedules.users(tx))
    each = requests_a_run(pages, runs_a_day=sum(one.runs for one in minutes) * (DAY / ahead) / max(1, users))
    return Forecast(tuple(hours(minutes, each, sync.requests_per_minute)), each, 1 + max(pages, default=1))


def requests_a_run(pages: Collection[int], *, runs_a_day: float) -> float:
    """The mean: each user's `pages` are read whole every five to six and a half days, in one of so many runs."""
    if not pages or not runs_a_day:
        return QUIET_RUN
    share_full = min(1.0, 1 / (runs_a_day * (FULL_EVERY / DAY)))
    return QUIET_RUN + share_full * (sum(pages) / len(pages) - 1)


def hours(minutes: Sequence[Minute], each: float, limit: int) -> Iterable[Hour]:
    """Hours of sixty minutes; `each` run asks that often, `limit` is requests a minute, 0 for none."""
    size, carried = HOUR // MINUTE, 0
    for first in range(0, len(minutes), size):
        runs = [one.runs for one in minutes[first : first + size]]
        requests = round(sum(runs) * each)
        carried = max(0, carried + requests - limit * len(runs)) if limit else 0
        peak = max(runs)
        yield Hour(minutes[first].at, sum(runs), requests, peak, round(peak * each), carried)
