from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts_sync.sandbox import Account, Sandbox
from tests.sandbox.conftest import ANN, CONTACTS, REDIRECT, SCOPE, Caller


def _error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_consent_comes_back_with_code_state_scope_and_issuer(caller: Caller) -> None:
    query = caller.redirect()
    assert (query["state"], query["scope"], query["iss"]) == ("xyz", SCOPE, "https://accounts.google.com")
    assert query["code"].startswith("4/0")


@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        ("client_id", "someone else", "invalid_client"),
        ("redirect_uri", "https://example.com/callback", "redirect_uri_mismatch"),
        ("redirect_uri", "urn:ietf:wg:oauth:2.0:oob", "redirect_uri_mismatch"),
        ("response_type", "token", "invalid_request"),
        ("scope", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
    ],
)
def test_a_wrong_request_gets_an_error_page_and_no_redirect(
    caller: Caller, parameter: str, value: str, told: str
) -> None:
    answer = caller.consent(**{parameter: value})
    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "http://[::1]:9/x?y=1", "http://localhost:80/"])
def test_any_loopback_port_is_a_good_redirect(caller: Caller, uri: str) -> None:
    assert caller.consent(redirect_uri=uri).headers["Location"].startswith(uri)


def test_a_code_buys_tokens_once(caller: Caller) -> None:
    code = caller.redirect()["code"]
    tokens = caller.exchange(code).json()
    assert tokens["scope"] == SCOPE
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)
    assert {"access_token", "refresh_token", "id_token"} <= tokens.keys()
    assert _error(caller.exchange(code)) == (400, "invalid_grant")


def test_the_bought_access_token_opens_the_api(caller: Caller) -> None:
    caller.token = caller.exchange(caller.redirect()["code"]).json()["access_token"]
    assert caller.connections().status_code == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"code_verifier": "x" * 43}, (400, "invalid_grant")),
        ({"code_verifier": ""}, (400, "invalid_grant")),
        ({"redirect_uri": REDIRECT + "2"}, (400, "redirect_uri_mismatch")),
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_secret": ""}, (400, "invalid_request")),
        ({"client_id": "wrong"}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
    ],
    ids=str,
)
def test_an_exchange_that_does_not_fit_is_refused(
    caller: Caller, form: dict[str, str], expected: tuple[int, str]
) -> None:
    assert _error(caller.exchange(caller.redirect()["code"], **form)) == expected


def test_the_client_may_also_authenticate_with_basic(caller: Caller, google: Sandbox) -> None:
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer = caller.post("token", form, auth=(google.client_id, google.client_secret))
    assert answer.json()["scope"] == CONTACTS


def test_a_refresh_gives_no_new_refresh_token(caller: Caller, google: Sandbox) -> None:
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    assert "refresh_token" not in caller.refresh(token).json()
    assert caller.refresh(token).status_code == 200


def test_rotation_retires_the_refresh_token_that_was_used(caller: Caller, google: Sandbox) -> None:
    google.world.grants.rotate_refresh_tokens = True
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    fresh = caller.refresh(token).json()["refresh_token"]
    assert _error(caller.refresh(token)) == (400, "invalid_grant")
    assert caller.refresh(fresh).status_code == 200


def test_an_app_in_testing_learns_when_its_refresh_token_dies(caller: Caller, google: Sandbox) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    google.world.clock = lambda: now
    google.world.grants.refresh_token_lifetime = timedelta(days=7)
    tokens = caller.exchange(caller.redirect()["code"]).json()
    assert tokens["refresh_token_expires_in"] == 604799
    google.world.clock = lambda: now + timedelta(days=7)
    assert _error(caller.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_web_client_may_get_no_refresh_token(caller: Caller, google: Sandbox) -> None:
    google.world.grants.give_refresh_token = False
    assert "refresh_token" not in caller.exchange(caller.redirect()["code"]).json()


def test_the_oldest_of_very_many_refresh_tokens_dies_silently(caller: Caller, google: Sandbox) -> None:
    first, *_, last = [google.world.grants.issue_refresh(ANN, (CONTACTS,)) for _ in range(101)]
    assert _error(caller.refresh(first)) == (400, "invalid_grant")
    assert caller.refresh(last).status_code == 200


def test_an_access_token_lasts_an_hour(caller: Caller, google: Sandbox) -> None:
    later = google.world.now() + timedelta(hours=1)
    google.world.clock = lambda: later
    assert caller.connections().status_code == 401


def test_a_withdrawn_consent_kills_the_refresh_token(caller: Caller, account: Account, google: Sandbox) -> None:
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    account.revoke_grants()
    answer = caller.refresh(token)
    assert answer.json() == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }


def test_revoking_one_token_kills_all_of_the_account_and_nobody_elses(caller: Caller, google: Sandbox) -> None:
    google.world.add_account("bob@example.com")
    mine, his = (google.world.grants.issue_refresh(email, (CONTACTS,)) for email in (ANN, "bob@example.com"))
    assert caller.post("revocation", {"token": mine}).status_code == 200
    assert caller.connections().status_code == 401
    assert caller.refresh(his).status_code == 200


def test_revoking_a_dead_token_says_so(caller: Caller) -> None:
    assert _error(caller.post("revocation", {"token": "1//dead"})) == (400, "invalid_token")


def test_userinfo_tells_who_granted(caller: Caller, account: Account) -> None:
    info = caller.get("/v1/userinfo").json()
    assert (info["sub"], info["email"], info["email_verified"]) == (account.sub, ANN, True)
    assert info["picture"].startswith("https://")


def test_userinfo_keeps_the_email_from_whoever_has_no_scope_for_it(caller: Caller, google: Sandbox) -> None:
    caller.token = google.world.grants.issue_access(ANN, ("openid",))
    assert caller.get("/v1/userinfo").json().keys() == {"sub", "picture"}


def test_userinfo_refuses_an_unknown_token(caller: Caller) -> None:
    caller.token = "ya29.unknown"
    assert caller.get("/v1/userinfo").status_code == 401
