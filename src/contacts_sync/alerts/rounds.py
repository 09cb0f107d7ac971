"""The fleet's day as a dead man's switch sees it: when a round begins, when it has ended, how it went. Pure.

A round belongs to the first slot that `[schedule] cron` has on a day of `[schedule] timezone`: one a day, however
many slots there are, and none on a day without (`Timetable.opening`). It has ended once every user that had a slot
before it, by whatever schedule, has succeeded since or has seen the run for it end; and at the latest when who isn't
fresh then is late.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contacts_sync.health.fleet import Fleet
from contacts_sync.health.verdicts import Health
from contacts_sync.model import Ping, Step

LONGEST_ROUND = timedelta(hours=22)  # then there is still time to tell, before the next one begins on the shortest day
SKEW = timedelta(hours=1)  # a round that begins later than that in the future is none: a clock was wrong
FINE = (Health.FRESH, Health.NEVER_SYNCED)  # whose first sync is still to come has no trouble yet
FIRST_GAP, LONGEST_GAP = timedelta(seconds=2), timedelta(minutes=10)


def is_new(round_at: datetime, told: Ping | None, now: datetime) -> bool:
    """True for a round that nobody has been told of."""
    return told is None or not round_at <= told.round_at <= now + SKEW


def is_over(begun: Ping, now: datetime, *, unsettled: int, spread: timedelta, grace: timedelta) -> bool:
    """True once no user's run is awaited any more, or it is time to say who is late.

    The time counts from the slot, or from when a daemon came back that was down at the slot.
    """
    patience = min(begun.begun_at + spread + grace, begun.round_at + LONGEST_ROUND)
    return unsettled == 0 or now >= patience


def verdict(fleet: Fleet) -> Step:
    """How a round went: a success leaves everybody fresh, but for who is new."""
    return Step.SUCCESS if sum(fleet.by_health[health] for health in FINE) == fleet.users else Step.FAIL


def beginning(users: int) -> str:
    """What is told of a round that begins."""
    return f"contacts-sync: the daily syncs of {_users(users)} have begun\n"


def summary(fleet: Fleet) -> str:
    """What is told of a round that has ended: numbers and causes. No user, no account, no contact."""
    numbers = ", ".join(f"{count:,} {health}" for health, count in fleet.by_health.items() if count)
    lines = [
        f"contacts-sync: {fleet.fresh:,} of {_users(fleet.users)} fresh",
        f"by health: {numbers or 'nobody'}",
        f"runs of the last hour: {fleet.last_hour.succeeded:,} succeeded, {fleet.last_hour.failed:,} failed",
        *(f"{_users(cause.users)}: {cause.title} ({cause.blame})" for cause in fleet.causes),
    ]
    return "\n".join(lines) + "\n"


def _users(number: int) -> str:
    return f"{number:,} user{'' if number == 1 else 's'}"


def gap(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain: twice as long each time, ten minutes at the most."""
    return min(FIRST_GAP * (1 << min(attempts - 1, 20)), LONGEST_GAP)
