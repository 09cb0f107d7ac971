from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contacts_sync.daemon.steps import STEP, Steps

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOURS = timedelta(hours=8)


def test_time_that_passes_is_no_step() -> None:
    seconds = iter([0.0, 3600.0])
    assert not Steps(NOON, lambda: next(seconds)).latest(NOON + 3600 * SECOND)


def test_a_clock_set_forward_or_back_is_told_once() -> None:
    steps = Steps(NOON, lambda: 0.0)
    assert [steps.latest(NOON + HOURS), steps.latest(NOON + HOURS)] == [HOURS, timedelta(0)]
    assert [steps.latest(NOON), steps.latest(NOON)] == [-HOURS, timedelta(0)]


def test_small_steps_add_up() -> None:
    steps = Steps(NOON, lambda: 0.0)
    assert not steps.latest(NOON - STEP + SECOND)
    assert steps.latest(NOON - STEP) == -STEP
