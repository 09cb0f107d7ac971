"""How operators say when a user is synced -> crontab with a stable minute, so that a herd is spread. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from contacts_sync.errors import InvalidUsage
from contacts_sync.timetable import stable_hash

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
NIGHT_BEGINS, NIGHT = 1, 4  # o'clock on the user's own clock, and how many hours from then on
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def daily_at(text: str) -> str:
    """Once a day at `03:30`. Raises `InvalidUsage` for what is no time of day."""
    found = TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise InvalidUsage(f"not a time of day: {text!r}", hint="times of day look like 03:30, from 00:00 to 23:59")
    return f"{int(found[2])} {int(found[1])} * * *"


def off_hours(user_id: str) -> str:
    """Once a night, between 1 and 5 o'clock, at the user's own minute."""
    minute = stable_hash(user_id, "night") % (NIGHT * 60)
    return f"{minute % 60} {NIGHT_BEGINS + minute // 60} * * *"


def every(user_id: str, interval: timedelta) -> str | None:
    """An interval of whole minutes at the user's own minutes; None where crontab has no even steps for it.

    Crontab has them where an hour or a day is a multiple of the interval, and for a week.
    """
    own = stable_hash(user_id, "every")
    if not HOUR % interval:
        return _minutely(own, interval // MINUTE)
    if not interval % HOUR and not DAY % interval:
        return _hourly(own, interval // HOUR)
    if interval == WEEK:
        return f"{own % 60} {own // 60 % 24} * * {own // 1440 % 7}"
    return None


def _minutely(own: int, minutes: int) -> str:
    if minutes == 60:
        return f"{own % 60} * * * *"
    return f"{own % minutes}-59/{minutes} * * * *" if minutes > 1 else "* * * * *"


def _hourly(own: int, hours: int) -> str:
    minute, hour = own % 60, own // 60 % hours
    return f"{minute} {hour}-23/{hours} * * *" if hours < 24 else f"{minute} {hour} * * *"
