from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.health.verdicts import SIGNS, Health, health_of, signs_of
from contacts_sync.store.health import Sign

NEW = Sign.NEVER | Sign.STALE


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Sign(0), Health.FRESH),
        (Sign.STALE, Health.FRESH),  # on schedule, if rarely: the objective is told apart
        (Sign.OVERDUE, Health.LATE),
        (NEW, Health.NEVER_SYNCED),
        (NEW | Sign.OVERDUE, Health.LATE),
        (Sign.FAILING | Sign.OVERDUE, Health.FAILING),
        (NEW | Sign.FAILING, Health.FAILING),
        (Sign.FAILING | Sign.PARKED, Health.PAUSED),
        (Sign.UNSCHEDULED, Health.PAUSED),
        (Sign.NEEDS_REAUTH | Sign.FAILING | Sign.OVERDUE, Health.NEEDS_REAUTH),
    ],
)
def test_signs_mean_one_word(signs: Sign, expected: Health) -> None:
    assert health_of(signs, all_paused=False) is expected


@pytest.mark.parametrize("signs", [Sign.OVERDUE, NEW])
def test_who_waits_while_everybody_is_paused_is_paused_but_who_is_fresh_stays_fresh(signs: Sign) -> None:
    assert health_of(signs, all_paused=True) is Health.PAUSED
    assert health_of(Sign(0), all_paused=True) is Health.FRESH


@given(st.booleans())
def test_every_combination_of_signs_has_exactly_one_word(paused: bool) -> None:
    told = [signs for health in Health for signs in signs_of(health, all_paused=paused)]
    assert sorted(told) == sorted(SIGNS)
    assert len(told) == 2 ** len(Sign)
