"""A connection is pinned to its Google account."""

from __future__ import annotations

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.errors import AccountMismatch
from contacts_sync.google.identity import refuse_another_account

KEY = "a key of some thirty-two bytes: not checked"


def of(subject: object) -> str:
    return jwt.encode({"sub": subject} if subject is not None else {}, KEY, algorithm="HS256")


def test_another_account_is_refused() -> None:
    with pytest.raises(AccountMismatch):
        refuse_another_account(of("115"), "114")


@pytest.mark.parametrize(
    ("id_token", "pinned"),
    [(of("114"), "114"), ("", "114"), (of(None), "114"), (of("115"), ""), (of("115"), "robot-user@example.com")],
    ids=["the same", "no id token", "no subject", "nothing pinned yet", "known by e-mail only"],
)
def test_what_cannot_be_another_account_passes(id_token: str, pinned: str) -> None:
    refuse_another_account(id_token, pinned)


@given(st.one_of(st.text(), st.binary().map(lambda raw: f"e30.{raw.hex()}.x")))
def test_any_text_is_survived(id_token: str) -> None:
    refuse_another_account(id_token, "114")
