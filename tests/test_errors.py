"""Errors say what to do next, in words that can be typed as they stand."""

from __future__ import annotations

import pytest

from contacts_sync.errors import UnknownUser, typed


@pytest.mark.parametrize(
    ("user_id", "word"), [("alice", "alice"), ("a b", "'a b'"), ("-x", "-- -x"), ("$(rm)", "'$(rm)'")]
)
def test_a_command_to_type_can_be_typed(user_id: str, word: str) -> None:
    assert typed(user_id) == word
    assert UnknownUser(user_id).hint == f"contacts-sync connect {word}"
