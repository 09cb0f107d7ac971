"""How often, and how long between."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from contacts_sync.errors import GrantRejected, PassingTrouble, QuotaExceeded, StoreUnavailable, SyncError
from contacts_sync.sync import retry

BACKOFF = (timedelta(seconds=2), timedelta(seconds=4), timedelta(seconds=8))
NOW = (timedelta(0),)


class Failing:
    """Raises what it is given, one a call, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def attempt(failing: Failing, *, attempts: int = 3, spent: int = 0) -> None:
    retry.attempt_repeatedly(failing, attempts=attempts, spent=spent, backoff=NOW, stop=threading.Event())


def test_passing_trouble_is_tried_three_times_in_all() -> None:
    failing = Failing(*[PassingTrouble("x")] * 5)
    with pytest.raises(PassingTrouble):
        attempt(failing)
    assert failing.calls == 3


def test_the_third_attempt_may_succeed() -> None:
    failing = Failing(PassingTrouble("x"), StoreUnavailable("y"))
    attempt(failing)
    assert failing.calls == 3


@pytest.mark.parametrize("error", [GrantRejected("x"), QuotaExceeded("x"), SyncError("x"), ValueError("bug")])
def test_what_no_retry_can_help_is_raised_at_once(error: Exception) -> None:
    failing = Failing(error)
    with pytest.raises(type(error)):
        attempt(failing)
    assert failing.calls == 1


def test_attempts_of_earlier_claims_count_but_a_claim_always_gets_one() -> None:
    for spent, calls in ((1, 2), (2, 1), (3, 1), (7, 1)):
        failing = Failing(*[PassingTrouble("x")] * 5)
        with pytest.raises(PassingTrouble):
            attempt(failing, spent=spent)
        assert failing.calls == calls


def test_waits_follow_the_failed_attempts_and_the_last_one_stays() -> None:
    assert [retry.wait_seconds(n, BACKOFF, None) for n in (1, 2, 3, 4)] == [2, 4, 8, 8]
    assert retry.wait_seconds(1, (), None) == 0


def test_a_longer_retry_after_wins() -> None:
    asked = PassingTrouble("x", retry_after=timedelta(seconds=30))
    assert retry.wait_seconds(1, BACKOFF, asked) == 30
    assert retry.wait_seconds(3, BACKOFF, PassingTrouble("x", retry_after=timedelta(seconds=1))) == 8


def test_a_wait_ends_at_once_when_the_process_stops() -> None:
    stop = threading.Event()
    stop.set()
    failing = Failing(PassingTrouble("x"))
    retry.attempt_repeatedly(failing, attempts=3, spent=0, backoff=(timedelta(hours=1),), stop=stop)
    assert failing.calls == 2


def test_deferrals_grow_from_a_minute_to_a_quarter_of_an_hour_unless_google_says_how_long() -> None:
    for turn, minutes in enumerate([1, 2, 4, 8, 15, 15]):
        assert minutes <= retry.deferral("dora", turn, None) / timedelta(minutes=1) <= 1.25 * minutes
    assert retry.deferral("dora", 3, timedelta(seconds=90)) == timedelta(seconds=90)


def test_who_met_the_quota_together_does_not_meet_it_together_again() -> None:
    waits = {retry.deferral(f"user{n}", 0, None).total_seconds() for n in range(100)}
    assert 60 <= min(waits) < 62
    assert 73 < max(waits) <= 75
