"""What operators say, as crontab says it: at the user's own minute, always the same."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_sync.cadence import daily_at, every, off_hours
from contacts_sync.errors import InvalidUsage
from contacts_sync.settings import parse_duration
from contacts_sync.timetable import compile_schedule

NOW = datetime(2026, 11, 23, tzinfo=UTC)
quickly = settings(max_examples=40)
users = st.text(min_size=1)
even = st.sampled_from(
    [
        "1m",
        "2m",
        "3m",
        "4m",
        "5m",
        "6m",
        "10m",
        "12m",
        "15m",
        "20m",
        "30m",
        "1h",
        "2h",
        "3h",
        "4h",
        "6h",
        "8h",
        "12h",
        "1d",
        "7d",
    ]
)


@pytest.mark.parametrize(("text", "cron"), [("03:30", "30 3 * * *"), ("0:00", "0 0 * * *"), ("23:59", "59 23 * * *")])
def test_a_time_of_day_is_a_crontab(text: str, cron: str) -> None:
    assert daily_at(text) == cron


@pytest.mark.parametrize("text", ["", "3", "24:00", "12:60", "-1:00", "03:30:00", "3:5", "٣:٣٠", "03:30 "])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(InvalidUsage, match="time of day"):
        daily_at(text)


@quickly
@given(users)
def test_off_hours_are_one_minute_of_the_users_night(user: str) -> None:
    slots = list(compile_schedule(off_hours(user), "Europe/Berlin").between(NOW, NOW + timedelta(days=3)))
    assert off_hours(user) == off_hours(user)
    assert len({slot.local.time() for slot in slots}) == 1
    assert len(slots) == 3
    assert all(1 <= slot.local.hour < 5 for slot in slots)


@quickly
@given(users, even)
def test_an_even_interval_is_kept_to_from_slot_to_slot(user: str, text: str) -> None:
    interval = parse_duration(text)
    cron = every(user, interval)
    assert cron is not None
    slots = compile_schedule(cron, "UTC").between(NOW, NOW + 3 * interval + timedelta(hours=1))
    assert {later.at - earlier.at for earlier, later in pairwise(slots)} == {interval}


@quickly
@given(users, st.sampled_from(["7m", "25m", "45m", "90m", "5h", "7h", "18h", "36h", "2d", "5d", "8d", "14d"]))
def test_what_crontab_has_no_even_steps_for_is_left_to_others(user: str, text: str) -> None:
    assert every(user, parse_duration(text)) is None


def test_a_herd_is_spread_over_the_night_and_over_an_interval() -> None:
    herd = [f"user-{number}" for number in range(2_400)]
    assert max(Counter(off_hours(user) for user in herd).values()) < 40
    assert max(Counter(every(user, timedelta(hours=6)) for user in herd).values()) < 40
