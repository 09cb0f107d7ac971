"""Tokens as Google gives them, and the traps in what a token endpoint may answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
import requests
import responses

from contacts_sync import errors
from contacts_sync.google import oauth
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.model import Account, Grant
from contacts_sync.sandbox import Sandbox, faults
from tests.google.conftest import Peer
from tests.google.given import NOW, REAL, granted

OLD = Grant("ya29.old", "1//old", NOW, oauth.SCOPES)
ANSWER = {"access_token": "ya29.new", "expires_in": 3599, "scope": " ".join(oauth.SCOPES), "token_type": "Bearer"}


def refreshed(transport: Transport, **answer: object) -> Grant:
    with responses.RequestsMock() as google:
        google.post(REAL.token, json={**ANSWER, **answer})
        return oauth.refresh(transport, REAL, OLD, now=NOW)


def test_more_scopes_than_asked_for_are_fine(transport: Transport) -> None:
    more = f"{ANSWER['scope']} https://www.googleapis.com/auth/calendar"
    assert "https://www.googleapis.com/auth/calendar" in refreshed(transport, scope=more).scopes


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
