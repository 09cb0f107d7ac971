from __future__ import annotations

import pytest

from contacts_sync.sandbox import Account, Sandbox
from tests.sandbox.conftest import ANN, CONTACTS, SCOPE, Caller

BOB = "bob@example.com"


@pytest.fixture(autouse=True)
def bob(google: Sandbox, account: Account) -> Account:
    return google.world.add_account(BOB)


def _who(caller: Caller, **query: str) -> str:
    caller.token = caller.exchange(caller.redirect(**query)["code"]).json()["access_token"]
    email: str = caller.get("/v1/userinfo").json()["email"]
    return email


def test_the_first_account_consents_unless_told_otherwise(caller: Caller) -> None:
    assert _who(caller) == ANN


def test_the_login_hint_chooses_the_account(caller: Caller) -> None:
    assert _who(caller, login_hint=BOB) == BOB


def test_the_scripted_account_wins_over_the_login_hint(caller: Caller, google: Sandbox) -> None:
    google.consent.account = BOB
    assert _who(caller, login_hint=ANN) == BOB


@pytest.mark.parametrize("error", ["access_denied", "admin_policy_enforced"])
def test_a_refusal_comes_back_as_an_error_with_the_state(caller: Caller, google: Sandbox, error: str) -> None:
    google.consent.error = error
    assert caller.redirect() == {"state": "xyz", "error": error}


def test_an_unticked_box_leaves_its_scope_out(caller: Caller, google: Sandbox) -> None:
    google.consent.scopes = ["openid"]
    query = caller.redirect()
    assert query["scope"] == "openid"
    assert caller.exchange(query["code"]).json()["scope"] == "openid"


def test_short_scope_names_come_back_in_full(caller: Caller) -> None:
    assert caller.redirect(scope="openid email")["scope"] == SCOPE.removesuffix(f" {CONTACTS}")


def test_a_human_sees_a_page_that_repeats_the_request_harmlessly(caller: Caller, google: Sandbox) -> None:
    google.consent.human = True
    answer = caller.consent(state='"><script>')
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert CONTACTS in answer.text


def test_the_humans_decision_counts(caller: Caller, google: Sandbox) -> None:
    google.consent.human = True
    assert caller.redirect(decision="deny")["error"] == "access_denied"
    assert CONTACTS not in caller.redirect(decision="allow")["scope"]
    assert caller.redirect(decision="allow", granted=CONTACTS)["scope"] == SCOPE
    assert _who(caller, decision="allow", account=BOB) == BOB
