from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contacts_sync.health.almanac import Almanac
from contacts_sync.health.load import AHEAD, Minute, Present, by_minute
from contacts_sync.intervals import coming, started
from contacts_sync.model import Bounds, Schedule
from contacts_sync.timetable import compile_schedule
from tests.health.given import HOUR, NOW

MINUTE = timedelta(minutes=1)
HALF_PAST, NIGHTLY, BROKEN = Schedule("30 * * * *", "UTC"), Schedule("0 2 * * *", "UTC"), Schedule("no", "UTC")
NONE = timedelta(0)


def next_hour(
    schedules: list[tuple[Schedule, int]], waiting: dict[datetime, int], *, spread: timedelta, now: datetime
) -> list[Minute]:
    return by_minute(Almanac(), Present(schedules), waiting, spread=spread, now=now, ahead=AHEAD)


def test_a_deadline_is_the_newest_slot_and_nothing_for_a_broken_schedule() -> None:
    found = Almanac().deadlines([HALF_PAST, NIGHTLY, BROKEN], NOW)
    assert [one.slot_at for one in found] == [NOW - 30 * MINUTE, NOW - 10 * HOUR, None]


@pytest.mark.parametrize("minutes", [0, 29, 30, 31, 60, 90, 3000])
def test_a_deadline_moves_on_with_time(minutes: int) -> None:
    almanac = Almanac()
    almanac.deadlines([HALF_PAST], NOW)
    later = NOW + minutes * MINUTE
    assert almanac.deadlines([HALF_PAST], later) == Almanac().deadlines([HALF_PAST], later)


def test_slots_to_come_are_the_timetables_whatever_is_remembered() -> None:
    almanac = Almanac()
    almanac.deadlines([HALF_PAST, NIGHTLY], NOW - HOUR)
    for schedule in (HALF_PAST, NIGHTLY):
        expected = [slot.at for slot in compile_schedule(schedule.cron, schedule.timezone).between(NOW, NOW + HOUR)]
        assert list(almanac.between(schedule, NOW, NOW + HOUR)) == expected
    assert list(almanac.between(BROKEN, NOW, NOW + HOUR)) == []


def test_the_next_hour_has_a_schedules_users_at_its_slot() -> None:
    minutes = next_hour([(HALF_PAST, 200), (NIGHTLY, 7)], {}, spread=NONE, now=NOW)
    assert len(minutes) == 60
    assert {one.at: one.runs for one in minutes if one.runs} == {NOW + 30 * MINUTE: 200}


def test_spread_users_are_spread_and_those_after_the_hour_left_out() -> None:
    minutes = next_hour([(HALF_PAST, 600)], {}, spread=HOUR, now=NOW)
    assert [one.runs for one in minutes] == [0] * 30 + [10] * 30


def test_what_waits_in_the_queue_comes_on_top() -> None:
    waiting = {NOW + 5 * MINUTE: 3, NOW + 2 * HOUR: 9}
    minutes = next_hour([], waiting, spread=NONE, now=NOW + timedelta(seconds=42))
    assert {one.at: one.runs for one in minutes if one.runs} == {NOW + 5 * MINUTE: 3}


def test_users_at_intervals_come_at_their_own_minutes_again_and_again() -> None:
    begun = started("alice", Bounds(20 * MINUTE, 20 * MINUTE), NOW)
    assert begun is not None
    present = Present([], [(begun, 5)])
    minutes = by_minute(Almanac(), present, {}, spread=HOUR, now=NOW, ahead=2 * AHEAD)
    assert [one.at for one in minutes if one.runs == 5] == coming(begun, NOW, NOW + 2 * AHEAD)
    assert sum(one.runs for one in minutes) == 30
