"""When the fleet's day begins, when it is over, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.alerts import rounds
from contacts_sync.health.causes import Cause
from contacts_sync.health.cures import Blame
from contacts_sync.health.fleet import Fleet
from contacts_sync.health.verdicts import Health
from contacts_sync.model import Ping, Step
from contacts_sync.store.deliveries import Backlog
from contacts_sync.store.workload import Queue, Recent

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, MINUTE, NOTHING = timedelta(hours=1), timedelta(minutes=1), timedelta(0)
SLOT = NOW - 10 * HOUR
BEGUN = Ping(SLOT, SLOT, Step.START, "", 1, SLOT, SLOT, None)


def test_a_round_is_new_once_even_after_a_clock_that_was_years_ahead() -> None:
    assert rounds.is_new(SLOT, None, NOW)
    assert rounds.is_new(SLOT + 24 * HOUR, BEGUN, NOW + 24 * HOUR)
    assert not rounds.is_new(SLOT, BEGUN, NOW)
    assert not rounds.is_new(SLOT - 24 * HOUR, BEGUN, SLOT - MINUTE)  # another host's clock is a little behind
    assert rounds.is_new(SLOT, replace(BEGUN, round_at=NOW + timedelta(days=900)), NOW)


def over(now: datetime, unsettled: int = 1, begun: Ping = BEGUN, spread: timedelta = NOTHING) -> bool:
    return rounds.is_over(begun, now, unsettled=unsettled, spread=spread, grace=HOUR)


def test_a_round_is_over_when_nobody_is_awaited_or_the_grace_is_over() -> None:
    assert over(SLOT, unsettled=0)
    assert not over(SLOT + HOUR - MINUTE)
    assert over(SLOT + HOUR)
    assert not over(SLOT + HOUR, spread=MINUTE)


def test_a_daemon_that_came_late_gets_the_whole_grace() -> None:
    late = replace(BEGUN, begun_at=SLOT + 9 * HOUR)
    assert not over(SLOT + 9 * HOUR, begun=late)
    assert over(SLOT + 10 * HOUR, begun=late)


@given(st.timedeltas(NOTHING, timedelta(days=7)), st.timedeltas(NOTHING, timedelta(days=7)))
def test_a_round_is_over_before_the_next_one_begins(begun_after: timedelta, spread: timedelta) -> None:
    assert over(SLOT + 23 * HOUR, begun=replace(BEGUN, begun_at=SLOT + begun_after), spread=spread)


def fleet(numbers: Mapping[Health, int], **more: Any) -> Fleet:
    facts: dict[str, Any] = {
        "at": NOW,
        "users": sum(numbers.values()),
        "by_health": dict.fromkeys(Health, 0) | dict(numbers),
        "meeting": 0,
        "most_stale": ("alice", NOW),
        "causes": (),
        "pause": None,
        "queue": Queue(0, 0, 0, 0, None),
        "last_hour": Recent(0, 0, 0, 0),
        "next_hour": (),
        "nodes": (),
        "alerts": Backlog(0, 0, 0, None, None),
    }
    return Fleet(**facts | more)


@given(st.dictionaries(st.sampled_from(Health), st.integers(0, 9)))
def test_a_round_is_a_success_only_if_everybody_is_fresh_or_new(numbers: dict[Health, int]) -> None:
    trouble = sum(users for health, users in numbers.items() if health not in (Health.FRESH, Health.NEVER_SYNCED))
    assert (rounds.verdict(fleet(numbers)) is Step.SUCCESS) == (trouble == 0)


def test_what_is_told_names_numbers_and_causes_and_nobody() -> None:
    cause = Cause(Health.FAILING, "X", Blame.GOOGLE, "Google failed", "alice@example.com: 503", 2, "alice", "run alice")
    told = rounds.summary(fleet({Health.FRESH: 9998, Health.FAILING: 2}, causes=(cause,), last_hour=Recent(8, 2, 0, 5)))
    assert told == (
        "contacts-sync: 9,998 of 10,000 users fresh\n"
        "by health: 9,998 fresh, 2 failing\n"
        "runs of the last hour: 8 succeeded, 2 failed\n"
        "2 users: Google failed (Google or the network)\n"
    )


def test_nobody_is_a_success() -> None:
    assert rounds.verdict(fleet({})) is Step.SUCCESS
    assert "0 of 0 users fresh\nby health: nobody\n" in rounds.summary(fleet({}))


@given(st.integers(1, 10_000))
def test_the_gaps_between_attempts_grow_to_ten_minutes(attempts: int) -> None:
    assert timedelta(seconds=2) <= rounds.gap(attempts) <= rounds.gap(attempts + 1) <= 10 * MINUTE
