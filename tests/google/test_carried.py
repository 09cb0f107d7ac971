from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.errors import ConsentFailed
from contacts_sync.google.carried import GOOD_FOR, pack, unpack
from contacts_sync.google.consent import Consent

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONSENT = Consent("https://x", "http://127.0.0.1:9/a", "state", "verifier" * 8)


def packed() -> str:
    return pack(CONSENT, "4/code", client_id="us", now=NOW)


@given(st.lists(st.integers(0, 250), max_size=5), st.sampled_from(["\n", " ", "\r\n  "]))
def test_a_grant_survives_blanks_and_line_breaks(places: list[int], gap: str) -> None:
    text = packed()
    for place in places:
        text = text[:place] + gap + text[place:]
    consent, code = unpack(text, client_id="us", now=NOW)
    assert (consent.redirect_uri, consent.code_verifier, code) == (
        CONSENT.redirect_uri,
        CONSENT.code_verifier,
        "4/code",
    )


@given(st.integers(0, 200), st.sampled_from("aZ0_-.é"))
def test_a_damaged_grant_is_refused(place: int, letter: str) -> None:
    text = packed()
    if text[place] == letter:
        return
    with pytest.raises(ConsentFailed, match="a part is missing"):
        unpack(text[:place] + letter + text[place + 1 :], client_id="us", now=NOW)
    with pytest.raises(ConsentFailed):
        unpack(text[:place], client_id="us", now=NOW)


def test_a_grant_is_for_one_client_and_ten_minutes() -> None:
    with pytest.raises(ConsentFailed, match="another OAuth client, us"):
        unpack(packed(), client_id="them", now=NOW)
    for away in (GOOD_FOR, -GOOD_FOR, timedelta(days=1)):
        with pytest.raises(ConsentFailed, match="ten minutes"):
            unpack(packed(), client_id="us", now=NOW + away)
