"""OAuth 2.0 as Google does it, with each trap of the libraries below."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import responses
from hypothesis import assume, example, given
from hypothesis import strategies as st

from contacts_sync import errors
from contacts_sync.google import oauth
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import Consent, OAuthClient
from contacts_sync.model import Account, Grant
from contacts_sync.sandbox import Sandbox, faults
from tests.google.conftest import Peer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REDIRECT = "http://127.0.0.1:8765/oauth2callback"
REAL = OAuthClient(
    "id",
    "GOCSPX-secret",
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com/revoke",
    "https://openidconnect.googleapis.com/v1/userinfo",
)
CONSENT = oauth.begin(REAL, REDIRECT)
OLD = Grant("ya29.old", "1//old", NOW, oauth.SCOPES)
ANSWER = {"access_token": "ya29.new", "expires_in": 3599, "scope": " ".join(oauth.SCOPES), "token_type": "Bearer"}


def came_back(consent: Consent) -> dict[str, str]:
    answer = requests.get(consent.url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def granted(transport: Transport, client: OAuthClient) -> Grant:
    consent = oauth.begin(client, REDIRECT)
    code = oauth.redirect_answer(consent, came_back(consent))
    return oauth.exchange(transport, client, consent, code, now=NOW)


def refreshed(transport: Transport, **answer: object) -> Grant:
    with responses.RequestsMock() as google:
        google.post(REAL.token, json={**ANSWER, **answer})
        return oauth.refresh(transport, REAL, OLD, now=NOW)


def test_the_authorization_url_asks_for_contacts_offline_with_pkce() -> None:
    consent = oauth.begin(REAL, REDIRECT, login_hint="ann@example.com")
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
    first, second = oauth.begin(REAL, REDIRECT), oauth.begin(REAL, REDIRECT)
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
    consent = oauth.begin(REAL, REDIRECT)
    with pytest.raises(errors.ConsentFailed, match=message):
        oauth.redirect_answer(consent, {"state": consent.state, "code": "4/0A", **change})


def test_a_pasted_address_may_have_blanks_and_line_breaks() -> None:
    consent = oauth.begin(REAL, REDIRECT)
    pasted = f"  {REDIRECT}?state={consent.state}&code=4%2F0Aabc\n def&scope=x "
    assert oauth.parse_redirect(consent, pasted) == "4/0Aabcdef"
    assert oauth.parse_redirect(consent, pasted.replace("http://", "")) == "4/0Aabcdef"


@pytest.mark.parametrize("pasted", [" 4/0Aabcdefgh\n", "4%2F0Aabcdefgh"])
def test_a_bare_code_may_be_pasted(pasted: str) -> None:
    assert oauth.parse_redirect(oauth.begin(REAL, REDIRECT), pasted) == "4/0Aabcdefgh"


@given(st.text() | st.text().map(lambda text: f"{REDIRECT}?{text}") | st.from_regex(r"https?://.*"))
@example("http://[::1?code=4/0A")
@example(f"{REDIRECT}?state=\udc80&code=x")
@example("https://evil.example/?code=4/0A")
@example("http://127.0.0.1:1/other?code=x")
def test_something_else_pasted_is_refused(pasted: str) -> None:
    assume(not oauth.CODE.fullmatch("".join(pasted.split())))
    with pytest.raises(errors.ConsentFailed):
        oauth.parse_redirect(CONSENT, pasted)


def test_an_unticked_box_fails_the_consent_and_revokes_what_was_granted(
    patient: Transport, client: OAuthClient, google: Sandbox
) -> None:
    google.consent.scopes = oauth.SCOPES[:2]
    with pytest.raises(errors.ConsentFailed, match="contacts was not granted"):
        granted(patient, client)
    assert google.count("revoke") == 1


def test_more_scopes_than_asked_for_are_fine(transport: Transport) -> None:
    more = f"{ANSWER['scope']} https://www.googleapis.com/auth/calendar"
    assert "https://www.googleapis.com/auth/calendar" in refreshed(transport, scope=more).scopes


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
    consent = oauth.begin(client, REDIRECT)
    code = oauth.redirect_answer(consent, came_back(consent))
    oauth.exchange(patient, client, consent, code, now=NOW)
    with pytest.raises(errors.ConsentFailed, match="used or too old"):
        oauth.exchange(patient, client, consent, code, now=NOW)


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
    consent = oauth.begin(client, REDIRECT)
    code = oauth.redirect_answer(consent, came_back(consent))
    with pytest.raises(kind, match=message):
        oauth.exchange(patient, client, replace(consent, **change), code, now=NOW)


def test_a_refresh_keeps_the_old_refresh_token_unless_a_new_one_comes(transport: Transport) -> None:
    assert refreshed(transport).refresh_token == "1//old"
    assert refreshed(transport, refresh_token="1//rotated").refresh_token == "1//rotated"


def test_secrets_go_into_the_body_never_into_a_header_or_the_url(transport: Transport) -> None:
    with responses.RequestsMock() as google:
        google.post(REAL.token, json=ANSWER)
        oauth.refresh(transport, REAL, OLD, now=NOW)
        sent = google.calls[0].request
    body = dict(parse_qsl(str(sent.body)))
    assert (body["client_id"], body["client_secret"], body["refresh_token"]) == ("id", "GOCSPX-secret", "1//old")
    assert "Authorization" not in sent.headers
    assert sent.url == REAL.token


@pytest.mark.parametrize("expires_in", [None, 0, -5, "soon", 1e9, [], "3599"])
def test_a_senseless_lifetime_is_held_within_an_hour(transport: Transport, expires_in: object) -> None:
    grant = refreshed(transport, expires_in=expires_in)
    assert NOW <= grant.expires_at <= NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "content", "headers", "kind"),
    [
        (503, "<html>unavailable</html>", {}, errors.PassingTrouble),
        (500, '{"error": "internal_failure"}', {}, errors.PassingTrouble),
        (429, "", {"Retry-After": "90"}, errors.QuotaExceeded),
        (200, "<html>captive portal</html>", {}, errors.PassingTrouble),
        (200, "{}", {}, errors.PassingTrouble),
        (200, "[]", {}, errors.PassingTrouble),
        (400, '{"error": "invalid_grant", "error_description": "Bad Request"}', {}, errors.GrantRejected),
        (401, '{"error": "invalid_client"}', {}, errors.OperatorTrouble),
        (307, "", {"Location": "https://evil.example/token"}, errors.OperatorTrouble),
        (400, '{"error": "temporarily_unavailable"}', {}, errors.PassingTrouble),
        (502, '{"error": "access_denied"}', {}, errors.PassingTrouble),
        (503, "", {"Retry-After": "3600"}, errors.QuotaExceeded),
    ],
)
def test_trouble_of_the_token_endpoint_is_judged_before_oauthlib_disguises_it(
    transport: Transport, status: int, content: str, headers: dict[str, str], kind: type[Exception]
) -> None:
    with responses.RequestsMock() as google:
        google.post(REAL.token, body=content, status=status, headers=headers)
        with pytest.raises(errors.SyncError) as caught:
            oauth.refresh(transport, REAL, OLD, now=NOW)
        assert len(google.calls) == 1
    assert type(caught.value) is kind


def test_a_redirected_refresh_token_doesnt_reach_the_other_place(transport: Transport, peer: Peer) -> None:
    visits: list[bytes] = []
    elsewhere = peer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", visits=visits)
    moved = peer(f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(errors.OperatorTrouble, match="307"):
        oauth.refresh(transport, replace(REAL, token=moved), OLD, now=NOW)
    assert visits == []


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnone"],
    ids=["hung up", "cut", "no gzip"],
)
def test_a_broken_token_answer_is_passing_trouble(transport: Transport, peer: Peer, answer: bytes) -> None:
    with pytest.raises(errors.PassingTrouble):
        oauth.refresh(transport, replace(REAL, token=peer(answer)), OLD, now=NOW)


def test_a_dripping_token_answer_is_given_up(transport: Transport, peer: Peer) -> None:
    drip = peer(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 10_000, pause=0.02)
    with pytest.raises(errors.PassingTrouble, match="in time"):
        oauth.refresh(transport, replace(REAL, token=drip), OLD, now=NOW)


@pytest.mark.parametrize(
    "odd",
    [
        {"access_token": "ya29.ü"},
        {"access_token": "ya29.a\nb"},
        {"access_token": "ya29.\ud800"},
        {"refresh_token": "1//\0"},
        {"refresh_token": ["1//x"]},
        {"error": "invalid_grant"},
    ],
)
def test_what_no_token_can_be_is_passing_trouble(transport: Transport, odd: dict[str, object]) -> None:
    with pytest.raises(errors.PassingTrouble, match="not the JSON expected"):
        refreshed(transport, **odd)


@pytest.mark.parametrize(
    "odd", [{"scope": {"a": 1}}, {"scope": 5}, {"scope": "\ud800"}, {"token_type": []}, {"expires_at": "x"}]
)
def test_odd_company_of_a_token_is_no_trouble(transport: Transport, odd: dict[str, object]) -> None:
    found = refreshed(transport, **odd)
    assert found.access_token == "ya29.new"
    assert " ".join(found.scopes).encode()


def test_an_accounts_name_can_be_stored(transport: Transport) -> None:
    with responses.RequestsMock() as google:
        google.get(REAL.userinfo, json={"sub": "1\0", "email": "a\0b\ud800@x.example"})
        assert oauth.account(transport, REAL, OLD) == Account("1\ufffd", "a\ufffdb\ufffd@x.example")


def test_no_error_repeats_a_token(transport: Transport) -> None:
    with responses.RequestsMock() as google:
        google.post(REAL.token, body=requests.ConnectionError(f"{REAL.token}?refresh_token=1//old"))
        with pytest.raises(errors.PassingTrouble) as caught:
            oauth.refresh(transport, REAL, OLD, now=NOW)
    assert "1//old" not in str(caught.value)


def test_the_shared_pool_outlives_a_token_request(patient: Transport, client: OAuthClient) -> None:
    grant = granted(patient, client)
    for _ in range(3):
        grant = oauth.refresh(patient, client, grant, now=NOW)
    assert oauth.account(patient, client, grant).email == "ann@example.com"


def test_a_token_is_refreshed_a_few_minutes_before_it_ends() -> None:
    assert not oauth.needs_refresh(OLD, NOW - timedelta(minutes=4))
    assert oauth.needs_refresh(OLD, NOW - timedelta(minutes=3))


def test_revoking_ends_the_grant_and_a_dead_one_counts_as_revoked(
    patient: Transport, client: OAuthClient, google: Sandbox
) -> None:
    grant = granted(patient, client)
    assert oauth.revoke(patient, client, grant.refresh_token)
    assert oauth.revoke(patient, client, grant.refresh_token)
    with pytest.raises(errors.GrantRejected):
        oauth.refresh(patient, client, grant, now=NOW)
    google.faults.add("revoke", faults.internal_error())
    with pytest.raises(errors.PassingTrouble):
        oauth.revoke(patient, client, grant.refresh_token)
