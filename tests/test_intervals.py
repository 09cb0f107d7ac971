"""Slots at intervals: bounded, never twice, none lost, and what runs find decides how long the intervals are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_sync.intervals import (
    DAY,
    HOUR,
    LONGEST_ADAPTIVE,
    MINUTE,
    adapted,
    coming,
    lengths,
    queued,
    set_back,
    started,
    succeeded,
)
from contacts_sync.model import Bounds, IntervalSchedule

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
USUAL = Bounds(HOUR, 2 * DAY)
minutes = st.integers(5, LONGEST_ADAPTIVE // MINUTE).map(lambda number: number * MINUTE)
bounds = st.tuples(minutes, minutes).map(lambda pair: Bounds(min(pair), max(pair)))
users = st.text(min_size=1)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
quickly = settings(max_examples=60)
waits = st.integers(0, 30 * 24 * 60).map(lambda number: number * MINUTE)


def adaptive(
    user: str = "alice", within: Bounds = USUAL, now: datetime = NOW, hourly_until: datetime | None = None
) -> IntervalSchedule:
    begun = started(user, within, now, hourly_until=hourly_until)
    assert begun is not None
    return begun


def after(schedule: IntervalSchedule, *outcomes: bool) -> IntervalSchedule:
    """The schedule after runs at their slots, each of which found changes or not."""
    for changed in outcomes:
        at = schedule.next_slot_at
        assert at is not None
        _, schedule = queued(schedule, at)
        schedule = succeeded(schedule, at + MINUTE / 2, changed=changed, was_due=True)
    return schedule


# -- the rule


@quickly
@given(bounds, minutes, st.booleans())
def test_an_interval_keeps_within_its_bounds_and_never_outlives_a_sync_token(
    within: Bounds, interval: timedelta, changed: bool
) -> None:
    found = adapted(interval, within, changed=changed)
    assert within.shortest <= found <= within.longest <= 5 * DAY
    assert found == adapted(interval, within, changed=changed)


@quickly
@given(bounds, st.data())
def test_a_quiet_run_never_shortens_and_a_change_never_lengthens(within: Bounds, data: st.DataObject) -> None:
    interval = data.draw(st.sampled_from(lengths(within)))
    assert adapted(interval, within, changed=False) >= interval
    assert adapted(interval, within, changed=True) <= interval


@quickly
@given(bounds, st.lists(st.booleans(), max_size=12))
def test_more_quiet_runs_never_make_an_interval_shorter(within: Bounds, outcomes: list[bool]) -> None:
    schedule, lengths_seen = after(adaptive(within=within), *outcomes), []
    for _ in range(20):
        lengths_seen.append(schedule.interval or DAY)
        schedule = after(schedule, False)
    assert lengths_seen == sorted(lengths_seen)
    assert schedule.interval == within.longest


def test_five_quiet_runs_after_a_change_are_told() -> None:
    schedule = after(adaptive(), True, *[False] * 5)
    assert (schedule.quiet_runs, schedule.interval) == (5, 48 * HOUR)
    assert after(schedule, True).quiet_runs == 0


def test_an_interval_settles_where_every_third_run_finds_something() -> None:
    schedule = after(adaptive(), *[True, False, False] * 9)
    assert schedule.interval == adaptive().interval == DAY


def test_equal_bounds_fix_the_interval() -> None:
    fixed = adaptive(within=Bounds(36 * HOUR, 36 * HOUR))
    assert after(fixed, True, True, False).interval == 36 * HOUR
    assert after(fixed, True).next_slot_at == (fixed.next_slot_at or NOW) + 36 * HOUR


# -- the slots


@quickly
@given(users, bounds, moments)
def test_the_first_slot_comes_within_one_interval_at_the_users_own_minute(
    user: str, within: Bounds, now: datetime
) -> None:
    begun = adaptive(user, within, now)
    assert begun.interval is not None
    assert begun.next_slot_at is not None
    assert now < begun.next_slot_at <= now + begun.interval
    assert begun.next_slot_at.second == begun.next_slot_at.microsecond == 0
    assert begun == adaptive(user, within, now)


@quickly
@given(
    users, bounds, moments, st.lists(st.tuples(waits, st.sampled_from(["quiet", "changed", "failed"]))), st.booleans()
)
def test_no_slot_comes_twice_and_none_is_due_once_it_is_queued(
    user: str, within: Bounds, now: datetime, life: list[tuple[timedelta, str]], fresh: bool
) -> None:
    schedule = adaptive(user, within, now, now + DAY if fresh else None)
    seen: list[datetime] = []
    for wait, outcome in life:
        now += wait
        if schedule.next_slot_at is not None and schedule.next_slot_at <= now:
            slot, schedule = queued(schedule, now)
            seen.append(slot.at)
        assert schedule.next_slot_at is not None
        assert schedule.next_slot_at > now
        if outcome != "failed":
            schedule = succeeded(schedule, now, changed=outcome == "changed", was_due=True)
            assert schedule.next_slot_at is not None
            assert now < schedule.next_slot_at <= now + within.longest
    assert seen == sorted(set(seen))


@quickly
@given(users, bounds, waits)
def test_days_of_silence_are_caught_up_by_one_run_of_the_newest_slot(
    user: str, within: Bounds, wait: timedelta
) -> None:
    schedule = adaptive(user, within)
    assert schedule.next_slot_at is not None
    assert schedule.interval is not None
    now = schedule.next_slot_at + wait
    slot, later = queued(schedule, now)
    assert now - schedule.interval < slot.at <= now
    assert later.next_slot_at == slot.at + schedule.interval


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_changes_of_clocks_move_no_slot_and_give_no_two_the_same_name(day: str) -> None:
    schedule = adaptive(within=Bounds(HOUR, HOUR), now=datetime.fromisoformat(f"{day}T00:00+00:00"))
    names = []
    for _ in range(24):
        slot, schedule = queued(schedule, schedule.next_slot_at or NOW)
        names.append(slot.label)
    assert len(set(names)) == 24
    assert names[0].endswith("[UTC]")


def test_a_herd_is_spread_over_its_interval_and_stays_so_after_an_outage() -> None:
    herd = [adaptive(f"user-{number}") for number in range(1_440)]
    later = [queued(one, NOW + 30 * DAY)[1] for one in herd]
    assert len({one.next_slot_at for one in later}) == len({one.next_slot_at for one in herd}) > 800


def test_a_run_that_was_not_due_teaches_nothing_but_a_change() -> None:
    schedule = adaptive()
    assert succeeded(schedule, NOW, changed=False, was_due=False).interval == DAY
    assert (succeeded(schedule, NOW, changed=True, was_due=False).interval or DAY) < DAY


def test_a_success_answers_the_slots_before_it_and_a_failure_none() -> None:
    schedule = adaptive()
    owed = schedule.owed_since
    _, failed = queued(schedule, NOW + 3 * DAY)
    assert failed.owed_since == owed
    assert succeeded(failed, NOW + 3 * DAY, changed=False, was_due=True).owed_since > NOW + 3 * DAY  # type: ignore[operator]  # not None


# -- the first day, and clocks that were wrong


def test_the_first_day_is_hourly_and_then_crontab_goes_on_alone() -> None:
    schedule = started("alice", None, NOW, hourly_until=NOW + DAY)
    assert schedule is not None
    slots = coming(schedule, NOW, NOW + 3 * DAY)
    assert len(slots) == 24
    assert {later - earlier for earlier, later in pairwise(slots)} == {HOUR}
    assert queued(schedule, NOW + 2 * DAY)[1].next_slot_at is None
    assert started("alice", None, NOW) is None


def test_after_the_first_day_intervals_go_on_from_where_they_were() -> None:
    schedule = adaptive(hourly_until=NOW + DAY)
    slots = coming(schedule, NOW, NOW + 3 * DAY)
    assert [later - earlier for earlier, later in pairwise(slots)] == [HOUR] * 23 + [DAY] * 2
    assert succeeded(schedule, NOW + HOUR, changed=True, was_due=True).interval == schedule.interval


@quickly
@given(bounds, st.booleans())
def test_a_clock_that_ran_years_ahead_is_forgotten(within: Bounds, fresh: bool) -> None:
    ahead = NOW + timedelta(days=900)
    schedule = adaptive("alice", within, ahead, ahead + DAY if fresh else None)
    again = set_back(after(schedule, False), NOW)
    assert again.next_slot_at is not None
    assert NOW < again.next_slot_at <= NOW + within.longest
