"""Cron + time zone + spread -> slots. Pure calendar arithmetic: every local slot happens exactly once.

Cron expressions run over local wall time (naive datetimes), as crontab means them; each wall time is then mapped to
an instant: one in a daylight-saving gap to the first instant after it, one that happens twice to the first.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import tzdata
from cronsim import CronSim, CronSimError

from contacts_sync.errors import InvalidUsage

LONGEST_SHIFT = timedelta(hours=26)  # more than any two offsets of a zone have ever differed
FIVE_FIELDS = 'five fields are expected, such as "0 2 * * *": min hour day month weekday'
ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  (wall time)
MIDNIGHT = time()
EARLIEST_FULL = timedelta(days=5)
LATEST_FULL = timedelta(days=6, hours=12)  # Google's sync tokens die 7 days after the full sync


@dataclass(frozen=True, slots=True)
class Slot:
    """A local wall time a schedule names (`local`, naive) and the instant `at` (UTC) when it happens."""

    local: datetime
    at: datetime
    timezone: str

    @property
    def label(self) -> str:
        """The slot's name in the store: `2026-10-25T02:00[Europe/Berlin]`."""
        return f"{self.local.isoformat(timespec='minutes')}[{self.timezone}]"


@dataclass(frozen=True)
class Timetable:
    """The slots of a cron expression in a time zone. Compare and share freely: equal means the same slots."""

    cron: str
    timezone: str

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def next_after(self, instant: datetime) -> Slot:
        """The first slot that happens after `instant`."""
        return next(slot for slot in self._from(instant) if slot.at > instant)

    def latest(self, instant: datetime, *, since: datetime) -> Slot | None:
        """The newest slot with since < at <= instant."""
        local = (instant + LONGEST_SHIFT).astimezone(self._zone).replace(tzinfo=None)
        for slot in (self._slot(wall) for wall in CronSim(self.cron, local, reverse=True)):
            if slot.at <= instant:  # the first one going back: a later wall time never happens earlier
                return slot if slot.at > since else None
        return None

    def between(self, start: datetime, end: datetime) -> Iterator[Slot]:
        """The slots with start <= at < end, in order."""
        for slot in self._from(start):
            if slot.at >= end:
                return
            if slot.at >= start:
                yield slot

    def opening(self, instant: datetime) -> Slot | None:
        """The first slot of the latest local day whose first slot has come; None before the first one ever."""
        today = instant.astimezone(self._zone).date()
        first = self._first_since(today)
        if first.at <= instant:
            return first
        earlier = next(CronSim(self.cron, datetime.combine(today, MIDNIGHT), reverse=True), None)
        return self._first_since(earlier.date()) if earlier else None

    def _first_since(self, day: date) -> Slot:
        return self._slot(next(CronSim(self.cron, datetime.combine(day, MIDNIGHT) - timedelta(minutes=1))))

    def _from(self, instant: datetime) -> Iterator[Slot]:
        local = (instant - LONGEST_SHIFT).astimezone(self._zone).replace(tzinfo=None)
        return (self._slot(wall) for wall in CronSim(self.cron, local))

    def _slot(self, wall: datetime) -> Slot:
        return Slot(wall, _instant(wall, self._zone), self.timezone)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a wall time happens; `fold=0` is the first of two. In a gap the two folds lie around the transition."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    return _first_after_gap(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), at, zone)


def _first_after_gap(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The transition between two instants, to the second: where the zone's offset changes."""
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=4096)
def compile_schedule(cron: str, timezone: str) -> Timetable:
    """The timetable of a crontab expression in an IANA zone. Raises `InvalidUsage` for what can't be one."""
    _check_zone(timezone)
    _check_cron(cron)
    return Timetable(" ".join(cron.split()), timezone)


@lru_cache(maxsize=4096)
def zone_or_utc(timezone: str) -> str:
    """The zone; UTC where this machine's tzdata doesn't know it (any more): syncs go on, at other times of the day."""
    try:
        _check_zone(timezone)
    except InvalidUsage:
        return "UTC"
    return timezone


def _check_zone(timezone: str) -> None:
    if timezone not in _iana_zones():
        _refuse_unknown(timezone)
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidUsage(f"the time zone {timezone!r} can't be read: {error}") from error


@cache
def _iana_zones() -> frozenset[str]:
    """Names that come with this program: looking through the system's files for them all takes a tenth of a second."""
    return frozenset(Path(tzdata.__file__).with_name("zones").read_text("utf-8").split())


def _refuse_unknown(timezone: str) -> None:
    known = available_timezones()
    if timezone not in known:
        near = difflib.get_close_matches(timezone, known)
        hint = f"did you mean {near[0]}?" if near else "use an IANA name such as UTC or Europe/Berlin"
        raise InvalidUsage(f"no such time zone: {timezone!r}", hint=hint)


def _check_cron(cron: str) -> None:
    if len(cron.split()) != 5:
        raise InvalidUsage(f"not a cron expression: {cron!r}", hint=FIVE_FIELDS)
    try:
        next(CronSim(cron, ANY_DAY))
    except CronSimError as error:
        if _fires_in_some_month(cron):
            raise _never_fires(cron) from None
        raise InvalidUsage(f"not a cron expression: {cron!r}: {error}", hint=FIVE_FIELDS) from None
    except StopIteration:
        raise _never_fires(cron) from None


def _fires_in_some_month(cron: str) -> bool:
    minute, hour, day, month, weekday = cron.split()
    try:
        CronSim(f"* * * {month} *", ANY_DAY)
        CronSim(f"{minute} {hour} {day} * {weekday}", ANY_DAY)
    except CronSimError:
        return False
    return True


def _never_fires(cron: str) -> InvalidUsage:
    hint = "no month that it names has such a day: choose another day, or * for the month"
    return InvalidUsage(f"the cron expression {cron!r} never fires", hint=hint)


def spread_offset(user_id: str, window: timedelta) -> timedelta:
    """This user's fixed place in a window: whole seconds, evenly spread by a hash of the user id."""
    seconds = int(window.total_seconds())
    return timedelta(seconds=stable_hash(user_id, "spread") % seconds) if seconds else timedelta(0)


def weekly_full_due(user_id: str, last_full: datetime, now: datetime) -> bool:
    """True once the last full sync is 5 to 6.5 days old: each user has an age of its own, by a hash."""
    window = LATEST_FULL - EARLIEST_FULL
    return now - last_full >= EARLIEST_FULL + window * (stable_hash(user_id, "full") % 10_000 / 10_000)


def stable_hash(user_id: str, purpose: str) -> int:
    """A number that is always the same for a user, evenly spread over users, and another one for each purpose."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}:{user_id}".encode(), digest_size=8).digest())
