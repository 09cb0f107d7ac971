"""How many runs the time to come brings, minute by minute. Pure but for the almanac's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts_sync.health.almanac import Almanac
from contacts_sync.intervals import coming
from contacts_sync.model import IntervalSchedule, Schedule

MINUTE = timedelta(minutes=1)
AHEAD = timedelta(hours=1)
NOT_SPREAD = timedelta(0)  # at intervals each user has a minute of its own


@dataclass(frozen=True, slots=True)
class Present:
    """The schedules there are, each with its number of users."""

    by_crontab: Sequence[tuple[Schedule, int]]
    at_intervals: Sequence[tuple[IntervalSchedule, int]] = ()


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute to come, and about how many runs may start in it."""

    at: datetime
    runs: int


def by_minute(
    almanac: Almanac,
    present: Present,
    waiting: Mapping[datetime, int],
    *,
    spread: timedelta,
    now: datetime,
    ahead: timedelta,
) -> list[Minute]:
    """The minutes from the current one: the slots to come, spread as configured, and what waits in the queue."""
    first = now.replace(second=0, microsecond=0)
    starts = [first + n * MINUTE for n in range(int(ahead / MINUTE))]
    counts = dict.fromkeys(starts, 0.0)
    for at, runs in waiting.items():
        if at in counts:
            counts[at] += runs
    for schedule, users in present.by_crontab:
        for slot_at in almanac.between(schedule, now, now + ahead):
            _spread(counts, slot_at, users, spread)
    for herd, users in present.at_intervals:
        for slot_at in coming(herd, now, now + ahead):
            _spread(counts, slot_at, users, NOT_SPREAD)
    return [Minute(at, round(counts[at])) for at in starts]


def _spread(counts: dict[datetime, float], slot_at: datetime, users: int, window: timedelta) -> None:
    """Users are spread evenly, by a hash: each minute of the window gets an equal share."""
    minutes = max(1, -(-window // MINUTE))
    first = slot_at.replace(second=0, microsecond=0)
    for n in range(minutes):
        at = first + n * MINUTE
        if at not in counts:
            break
        counts[at] += users / minutes
