"""The slots around an instant, computed once and remembered for as long as they are the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from contacts_sync.errors import InvalidUsage
from contacts_sync.model import Schedule
from contacts_sync.store.health import Deadline
from contacts_sync.timetable import Timetable, compile_schedule, zone_or_utc

LOOKBACK = timedelta(days=366)


class Almanac:
    """For one thread at a time, and for instants that move forward, as time does."""

    def __init__(self) -> None:
        self._spans: dict[Schedule, tuple[datetime, datetime | None, datetime]] = {}

    def deadlines(self, schedules: Iterable[Schedule], instant: datetime) -> list[Deadline]:
        """The newest slot of each schedule at `instant`; None for one that can't be read, or had none in a year."""
        known, self._spans = self._spans, {}
        for schedule in schedules:
            span = known.get(schedule)
            if span is None or not span[0] <= instant < span[2]:
                span = _span(schedule, instant)
            self._spans[schedule] = span
        return [Deadline(schedule, slot_at) for schedule, (_, slot_at, _) in self._spans.items()]

    def between(self, schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
        """The slots from `start` to `end`: cheap for the many schedules that have none there."""
        span = self._spans.get(schedule)
        timetable = _timetable(schedule)
        if timetable is None or (span is not None and span[0] <= start and end <= span[2]):
            return iter(())
        return (slot.at for slot in timetable.between(start, end))


def _span(schedule: Schedule, instant: datetime) -> tuple[datetime, datetime | None, datetime]:
    """From when to when which slot is the newest one."""
    timetable = _timetable(schedule)
    if timetable is None:
        return instant, None, instant + timedelta(hours=1)
    newest = timetable.latest(instant, since=instant - LOOKBACK)
    return instant, newest.at if newest else instant - LOOKBACK, timetable.next_after(instant).at


def _timetable(schedule: Schedule) -> Timetable | None:
    try:
        return compile_schedule(schedule.cron, zone_or_utc(schedule.timezone))
    except InvalidUsage:
        return None
