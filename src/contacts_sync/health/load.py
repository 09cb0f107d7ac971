"""How many runs the next hour brings, minute by minute. Pure but for the almanac's memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contacts_sync.health.almanac import Almanac
from contacts_sync.model import Schedule

MINUTE = timedelta(minutes=1)
AHEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute to come, and about how many runs may start in it."""

    at: datetime
    runs: int


def next_hour(
    almanac: Almanac,
    schedules: Iterable[tuple[Schedule, int]],
    waiting: Mapping[datetime, int],
    *,
    spread: timedelta,
    now: datetime,
) -> list[Minute]:
    """Sixty minutes from the current one: the slots to come, spread as configured, and what waits in the queue."""
    first = now.replace(second=0, microsecond=0)
    starts = [first + n * MINUTE for n in range(int(AHEAD / MINUTE))]
    counts = dict.fromkeys(starts, 0.0)
    for at, runs in waiting.items():
        if at in counts:
            counts[at] += runs
    for schedule, users in schedules:
        for slot_at in almanac.between(schedule, now, now + AHEAD):
            _spread(counts, slot_at, users, spread)
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
