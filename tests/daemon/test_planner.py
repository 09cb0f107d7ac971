"""When the run for a slot may begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contacts_sync.daemon.planner import place_of
from contacts_sync.timetable import compile_schedule, spread_offset

NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC)
SLOT = compile_schedule("0 2 * * *", "UTC").next_after(NIGHT - timedelta(minutes=1))
HOUR = timedelta(hours=1)


def test_a_run_has_its_users_place_in_the_window() -> None:
    assert place_of("alice", SLOT, HOUR, NIGHT) == NIGHT + spread_offset("alice", HOUR)
    assert place_of("alice", SLOT, timedelta(0), NIGHT) == NIGHT


def test_a_herd_that_comes_late_is_spread_from_then_on() -> None:
    morning = NIGHT + 8 * HOUR
    assert place_of("alice", SLOT, HOUR, morning) == morning + spread_offset("alice", HOUR)


def test_without_a_window_the_oldest_slot_comes_first_however_late() -> None:
    assert place_of("alice", SLOT, timedelta(0), NIGHT + 8 * HOUR) == NIGHT
