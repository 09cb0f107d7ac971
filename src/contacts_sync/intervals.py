"""Schedules that crontab can't say: every 36 hours, adaptive, hourly for the first day. Pure.

A user's slots are a chain of instants, each one interval after the one before: no change of clocks moves them, and a
herd, spread once by a hash of the user ids, stays spread. An adaptive interval goes up a step after a quiet run, and
down two after one that found changes: it settles where about every third run finds something.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contacts_sync.model import Bounds, IntervalSchedule
from contacts_sync.timetable import Slot, stable_hash

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEPS = (5 * MINUTE, 15 * MINUTE, 30 * MINUTE, *(HOUR * n for n in (1, 2, 4, 8, 12, 18, 24, 36, 48, 72, 96, 120)))
LONGEST_ADAPTIVE = STEPS[-1]  # Google's sync tokens die at 7 days
LONGEST = 31 * DAY
FIRST_INTERVAL = DAY  # as often as everybody else, until more is known
FIRST_DAY = DAY
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

# -- the rule


def lengths(bounds: Bounds) -> tuple[timedelta, ...]:
    """The intervals that an adaptive schedule takes, from its shortest to its longest."""
    between = (step for step in STEPS if bounds.shortest < step < bounds.longest)
    return tuple(dict.fromkeys((bounds.shortest, *between, bounds.longest)))


def adapted(interval: timedelta, bounds: Bounds, *, changed: bool) -> timedelta:
    """The interval after a run that found changes, or none."""
    steps = lengths(bounds)
    place = max(0, bisect_right(steps, interval) - 1)
    return steps[max(0, place - 2)] if changed else steps[min(place + 1, len(steps) - 1)]


# -- one user's chain of slots


def started(
    user_id: str, bounds: Bounds | None, now: datetime, *, hourly_until: datetime | None = None
) -> IntervalSchedule | None:
    """A schedule that begins now; None where there is nothing to begin: no bounds, and no first day."""
    interval = min(max(FIRST_INTERVAL, bounds.shortest), bounds.longest) if bounds else None
    fresh = IntervalSchedule(user_id, bounds, interval, 0, hourly_until, now, None, None)
    step = _step(fresh, now)
    return _begun(fresh, step, now) if step else None


def queued(schedule: IntervalSchedule, now: datetime) -> tuple[Slot, IntervalSchedule]:
    """The slot that a run queued at `now` stands for, however many were missed, and the schedule after it.

    The schedule must be due: `next_slot_at` <= now.
    """
    slot_at = _newest(schedule, schedule.next_slot_at or schedule.slot_at, now)
    after = replace(schedule, slot_at=slot_at, next_slot_at=_following(schedule, slot_at))
    return slot(slot_at), after


def succeeded(schedule: IntervalSchedule, now: datetime, *, changed: bool, was_due: bool) -> IntervalSchedule:
    """The schedule after a success at `now`, which answers all slots up to then.

    A quiet run teaches something only if it `was_due`, and no run does on the first day.
    """
    learned = schedule
    if schedule.bounds and schedule.interval and (changed or was_due) and not _is_first_day(schedule, now):
        interval = adapted(schedule.interval, schedule.bounds, changed=changed)
        learned = replace(schedule, interval=interval, quiet_runs=0 if changed else schedule.quiet_runs + 1)
    if schedule.next_slot_at is None:
        return replace(learned, owed_since=None)
    coming = _following(learned, _newest(learned, schedule.slot_at, now))
    return replace(learned, next_slot_at=coming, owed_since=coming)


def set_back(schedule: IntervalSchedule, now: datetime) -> IntervalSchedule:
    """The schedule after the clock was set back to `now`, so far that its latest slot lies ahead."""
    until = min(schedule.hourly_until, now + FIRST_DAY) if schedule.hourly_until else None
    kept = replace(schedule, hourly_until=until, slot_at=now, next_slot_at=None, owed_since=None)
    step = _step(kept, now)
    return _begun(kept, step, now) if step else kept


def coming(schedule: IntervalSchedule, start: datetime, end: datetime) -> list[datetime]:
    """The slots with start <= slot < end, at the present interval."""
    found, at = [], schedule.next_slot_at
    if at is not None and at < start:
        at = _following(schedule, _newest(schedule, at, start - timedelta(microseconds=1)))
    while at is not None and at < end:
        found.append(at)
        at = _following(schedule, at)
    return found


def slot(at: datetime) -> Slot:
    """The slot at an instant. Its name is in UTC: on a local clock two slots of an hour's interval can look alike."""
    return Slot(at.astimezone(UTC).replace(tzinfo=None), at, "UTC")


def _begun(schedule: IntervalSchedule, step: timedelta, now: datetime) -> IntervalSchedule:
    """The first slot is the user's own place within one interval from now."""
    own = MINUTE * (stable_hash(schedule.user_id, "interval") % (step // MINUTE))
    slot_at = EPOCH + own + (now - EPOCH - own) // step * step
    return replace(schedule, slot_at=slot_at, next_slot_at=slot_at + step, owed_since=slot_at + step)


def _newest(schedule: IntervalSchedule, start: datetime, now: datetime) -> datetime:
    """The newest slot at `now` of the chain that `start` belongs to; `start` itself if there is none."""
    at = start
    while (step := _step(schedule, at)) is not None and at + step <= now:
        end = min(now, schedule.hourly_until or now) if _is_first_day(schedule, at + HOUR) else now
        at += step * max(1, (end - at) // step)
    return at


def _following(schedule: IntervalSchedule, at: datetime) -> datetime | None:
    step = _step(schedule, at)
    return at + step if step else None


def _step(schedule: IntervalSchedule, at: datetime) -> timedelta | None:
    """From a slot to the next one: an hour at most on the first day; None where crontab goes on alone."""
    if _is_first_day(schedule, at + HOUR) and (schedule.interval is None or schedule.interval > HOUR):
        return HOUR
    return schedule.interval


def _is_first_day(schedule: IntervalSchedule, at: datetime) -> bool:
    return schedule.hourly_until is not None and at <= schedule.hourly_until
