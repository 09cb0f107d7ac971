from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts_sync.errors import GrantRejected, ScopeMissing, UnreadableGrant
from contacts_sync.model import Grant
from contacts_sync.sync.reauth import cause

NOW = datetime(2026, 3, 20, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
REFUSED = GrantRejected("the grant is no longer valid: invalid_grant (Token has been expired or revoked.)")


def told(
    error: GrantRejected = REFUSED, *, age: timedelta = 30 * DAY, ends: datetime | None = None, **more: str
) -> str:
    grant = Grant("a", "r", NOW, (), refresh_expires_at=ends, **more)
    return cause(error, grant, NOW - age, NOW - DAY, NOW)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("reauth related error (invalid_rapt)", "rapt"),
        ("admin_policy_enforced", "admin"),
        ("account deleted", "deleted"),
    ],
)
def test_what_google_says_is_told_plainly(text: str, word: str) -> None:
    said = told(GrantRejected(f"the grant is no longer valid: invalid_grant ({text})"))
    assert word in said
    assert "taken back" not in said


def test_a_grant_whose_known_end_has_come_points_to_testing() -> None:
    assert "publish the app" in told(ends=NOW)
    assert "publish the app" not in told(ends=NOW + DAY)


@pytest.mark.parametrize(("days", "is_testing"), [(6.9, False), (7, True), (8, True), (9, False)])
def test_a_grant_that_dies_at_the_age_of_a_week_points_to_testing(days: float, *, is_testing: bool) -> None:
    assert ("Testing" in told(age=days * DAY)) is is_testing


def test_a_grant_nobody_used_for_half_a_year_was_forgotten() -> None:
    assert "six months" in cause(REFUSED, None, NOW - 181 * DAY, None, NOW)
    assert "taken back" in cause(REFUSED, None, NOW - 181 * DAY, NOW - DAY, NOW)


def test_other_troubles_keep_their_own_words() -> None:
    assert "unticked" in told(ScopeMissing("no"))
    assert told(UnreadableGrant("no key opens it")) == "no key opens it"
    assert told(GrantRejected("nobody of that name"), service_account="{}") == "nobody of that name"
