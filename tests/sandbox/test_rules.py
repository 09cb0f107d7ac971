from __future__ import annotations

import threading

import pytest

from contacts_sync.sandbox import Account, Sandbox
from contacts_sync.sandbox.faults import Fault, expired_sync_token, unavailable
from contacts_sync.sandbox.rules import Circumstances, Faults
from tests.sandbox.conftest import ANN, Caller

TROUBLE = unavailable()


@pytest.fixture
def rules() -> Faults:
    return Faults()


def _strikes(rules: Faults, *requests: Circumstances) -> list[bool]:
    return [rules.strike(request) is not None for request in requests]


def test_a_rule_strikes_once_unless_told_otherwise(rules: Faults) -> None:
    rules.add("people", TROUBLE)
    assert _strikes(rules, *[Circumstances("people")] * 3) == [True, False, False]


def test_a_rule_can_skip_the_first_ones(rules: Faults) -> None:
    rules.add("people", TROUBLE, nth=2, times=2)
    assert _strikes(rules, *[Circumstances("people")] * 4) == [False, True, True, False]


def test_a_rule_without_a_number_strikes_for_ever(rules: Faults) -> None:
    rule = rules.add("any", TROUBLE, times=None)
    assert all(_strikes(rules, *[Circumstances("token")] * 9))
    assert (rule.seen, rule.struck) == (9, 9)


def test_a_rule_knows_place_account_and_page(rules: Faults) -> None:
    rules.add("people", TROUBLE, account=ANN, page=2)
    others = (
        Circumstances("groups", ANN, 2),
        Circumstances("people", "bob", 2),
        Circumstances("people", ANN, 1),
    )
    assert _strikes(rules, *others, Circumstances("people", ANN, 2)) == [False, False, False, True]


def test_trouble_with_a_sync_token_needs_one(rules: Faults) -> None:
    rules.add("people", expired_sync_token())
    requests = Circumstances("people"), Circumstances("people", sync_token=True)
    assert _strikes(rules, *requests) == [False, True]


def test_of_two_rules_the_first_strikes_and_both_count(rules: Faults) -> None:
    first, second = rules.add("people", TROUBLE), rules.add("any", Fault(), nth=2)
    assert [rules.strike(Circumstances("people")) for _ in range(2)] == [TROUBLE, Fault()]
    assert (first.seen, second.seen) == (2, 2)


def test_cleared_rules_are_gone(rules: Faults) -> None:
    rules.add("people", TROUBLE)
    rules.clear()
    assert rules.strike(Circumstances("people")) is None


def test_pages_and_accounts_are_recognised_on_the_wire(caller: Caller, google: Sandbox, account: Account) -> None:
    account.add_people(3)
    google.faults.add("people", TROUBLE, account=ANN, page=2)
    page = caller.connections(pageSize=1).json()
    assert caller.connections(pageSize=1, pageToken=page["nextPageToken"]).status_code == 503
    assert caller.connections(pageSize=1, pageToken=page["nextPageToken"]).status_code == 200


def test_the_account_is_recognised_at_every_endpoint(caller: Caller, google: Sandbox) -> None:
    token = caller.exchange(caller.redirect()["code"]).json()["refresh_token"]
    caller.refresh(token)
    caller.get("/v1/userinfo")
    caller.post("revocation", {"token": token})
    assert [request.account for request in google.requests] == [ANN] * 5


def test_a_held_request_waits_at_the_gate(caller: Caller, google: Sandbox) -> None:
    gate = google.faults.hold("people")
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(caller.connections().status_code))
    asking.start()
    assert gate.arrived.wait(10)
    assert statuses == []
    gate.release()
    asking.join(10)
    assert statuses == [200]


def test_leaving_the_sandbox_lets_held_requests_go(account: Account, google: Sandbox) -> None:
    with Sandbox() as other:
        gate = other.faults.hold("any")
    assert gate.released.is_set()
