"""Consents as Google gives them, with each trap of the libraries below."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from contacts_sync import errors
from contacts_sync.google import oauth
from contacts_sync.google.consent import CODE, begin, exchange, parse_redirect, redirect_answer
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.sandbox import Sandbox
from tests.google.given import NOW, REAL, REDIRECT, came_back, granted

CONSENT = begin(REAL, REDIRECT)


def test_the_authorization_url_asks_for_contacts_offline_with_pkce() -> None:
    consent = begin(REAL, REDIRECT, login_hint="ann@example.com")
    parts = urlsplit(consent.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "accounts.google.com", "/o/oauth2/v2/auth")
    assert query["scope"].split() == list(oauth.SCOPES)
    assert (query["access_type"], query["prompt"], query["response_type"]) == ("offline", "consent", "code")
    assert (query["code_challenge_method"], query["redirect_uri"]) == ("S256", REDIRECT)
    assert (query["login_hint"], len(query["state"]) >= 43) == ("ann@example.com", True)
    assert consent.code_verifier not in consent.url
    assert 43 <= len(consent.code_verifier) <= 128


def test_every_consent_is_fresh() -> None:
    first, second = begin(REAL, REDIRECT), begin(REAL, REDIRECT)
    assert first.state != second.state
    assert first.code_verifier != second.code_verifier


def test_a_whole_consent_gives_a_grant_and_the_account(patient: Transport, client: OAuthClient) -> None:
    grant = granted(patient, client)
    assert grant.refresh_token
    assert oauth.CONTACTS_SCOPE in grant.scopes
    assert timedelta(minutes=55) < grant.expires_at - NOW <= timedelta(hours=1)
    assert oauth.account(patient, client, grant).email == "ann@example.com"


def test_the_environment_is_left_alone(patient: Transport, client: OAuthClient) -> None:
    before = dict(os.environ)
    granted(patient, client)
    assert {name: value for name, value in os.environ.items() if name.startswith("OAUTHLIB")} == {}
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "wrong"}, "wrong state"),
        ({"state": ""}, "wrong state"),
        ({"iss": "https://evil.example"}, "wrong issuer"),
        ({"code": ""}, "no authorization code"),
        ({"error": "access_denied"}, "consent was refused"),
        ({"error": "admin_policy_enforced"}, "admin_policy_enforced"),
        ({"error": "<script>"}, "with an error"),
    ],
)
def test_another_answer_than_this_consents_is_refused(change: dict[str, str], message: str) -> None:
    consent = begin(REAL, REDIRECT)
    with pytest.raises(errors.ConsentFailed, match=message):
        redirect_answer(consent, {"state": consent.state, "code": "4/0A", **change})


def test_a_pasted_address_may_have_blanks_and_line_breaks() -> None:
    consent = begin(REAL, REDIRECT)
    pasted = f"  {REDIRECT}?state={consent.state}&code=4%2F0Aabc\n def&scope=x "
    assert parse_redirect(consent, pasted) == "4/0Aabcdef"
    assert parse_redirect(consent, pasted.replace("http://", "")) == "4/0Aabcdef"


@pytest.mark.parametrize("pasted", [" 4/0Aabcdefgh\n", "4%2F0Aabcdefgh"])
def test_a_bare_code_may_be_pasted(pasted: str) -> None:
    assert parse_redirect(begin(REAL, REDIRECT), pasted) == "4/0Aabcdefgh"


@given(st.text() | st.text().map(lambda text: f"{REDIRECT}?{text}") | st.from_regex(r"https?://.*"))
@example("http://[::1?code=4/0A")
@example(f"{REDIRECT}?state=\udc80&code=x")
@example("https://evil.example/?code=4/0A")
@example("http://127.0.0.1:1/other?code=x")
def test_something_else_pasted_is_refused(pasted: str) -> None:
    assume(not CODE.fullmatch("".join(pasted.split())))
    with pytest.raises(errors.ConsentFailed):
        parse_redirect(CONSENT, pasted)


def test_an_unticked_box_fails_the_consent_and_revokes_what_was_granted(
    patient: Transport, client: OAuthClient, google: Sandbox
) -> None:
    google.consent.scopes = oauth.SCOPES[:2]
    with pytest.raises(errors.ConsentFailed, match="contacts was not granted"):
        granted(patient, client)
    assert google.count("revoke") == 1


def test_no_refresh_token_fails_the_consent(patient: Transport, client: OAuthClient, google: Sandbox) -> None:
    google.world.grants.give_refresh_token = False
    with pytest.raises(errors.ConsentFailed, match="no refresh token"):
        granted(patient, client)


def test_a_grant_of_an_app_in_testing_says_when_it_ends(
    patient: Transport, client: OAuthClient, google: Sandbox
) -> None:
    google.world.grants.refresh_token_lifetime = timedelta(days=7)
    ends = granted(patient, client).refresh_expires_at
    assert ends is not None
    assert timedelta(days=6) < ends - NOW <= timedelta(days=7)


def test_a_code_works_once(patient: Transport, client: OAuthClient) -> None:
    consent = begin(client, REDIRECT)
    code = redirect_answer(consent, came_back(consent))
    exchange(patient, client, consent, code, now=NOW)
    with pytest.raises(errors.ConsentFailed, match="used or too old"):
        exchange(patient, client, consent, code, now=NOW)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"redirect_uri": "http://127.0.0.1:9/elsewhere"}, errors.OperatorTrouble, "redirect_uri_mismatch"),
        ({"code_verifier": "v" * 43}, errors.ConsentFailed, "used or too old"),
    ],
)
def test_a_code_that_belongs_to_another_consent_is_refused(
    patient: Transport, client: OAuthClient, change: dict[str, str], kind: type[Exception], message: str
) -> None:
    consent = begin(client, REDIRECT)
    code = redirect_answer(consent, came_back(consent))
    with pytest.raises(kind, match=message):
        exchange(patient, client, replace(consent, **change), code, now=NOW)
