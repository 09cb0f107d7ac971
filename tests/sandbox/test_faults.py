from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from contacts_sync.sandbox import Account, Fault, Sandbox, faults
from tests.operating import wait_until
from tests.sandbox.conftest import ANN, CONTACTS, Caller


@pytest.mark.parametrize(
    ("make", "status", "word"),
    [
        (faults.internal_error, 500, "INTERNAL"),
        (faults.unavailable, 503, "UNAVAILABLE"),
        (faults.too_many_requests, 429, "RESOURCE_EXHAUSTED"),
        (faults.quota_forbidden, 403, "rateLimitExceeded"),
        (faults.service_disabled, 403, "SERVICE_DISABLED"),
        (faults.scope_insufficient, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        (faults.unauthenticated, 401, "UNAUTHENTICATED"),
        (faults.invalid_argument, 400, "INVALID_ARGUMENT"),
        (faults.bad_gateway, 502, "<html>"),
    ],
)
def test_an_ordered_answer_comes_once_and_then_all_is_well(
    caller: Caller, google: Sandbox, make: Callable[[], Fault], status: int, word: str
) -> None:
    google.faults.add("people", make())
    answer = caller.connections()
    assert answer.status_code == status
    assert word in answer.text
    assert caller.connections().status_code == 200


@pytest.mark.parametrize(
    ("make", "status"),
    [(faults.expired_sync_token, 400), (faults.gone_sync_token, 410), (faults.corrupt_sync_token, 400)],
)
def test_trouble_with_sync_tokens_waits_for_a_request_that_carries_one(
    caller: Caller, google: Sandbox, make: Callable[[], Fault], status: int
) -> None:
    google.faults.add("people", make(), times=None)
    _, token = caller.listing()
    assert caller.connections(syncToken=token).status_code == status
    assert caller.connections().status_code == 200


def test_the_token_endpoint_has_its_own_troubles(caller: Caller, google: Sandbox) -> None:
    for fault in (
        faults.invalid_grant("Bad Request"),
        faults.invalid_client(),
        faults.empty_too_many_requests(),
    ):
        google.faults.add("token", fault)
    answers = [caller.refresh("1//any") for _ in range(3)]
    assert [(answer.status_code, bool(answer.text)) for answer in answers] == [
        (400, True),
        (401, True),
        (429, False),
    ]


def test_retry_after_is_said_as_ordered(caller: Caller, google: Sandbox) -> None:
    google.faults.add("people", faults.too_many_requests(retry_after="120"))
    assert caller.connections().headers["Retry-After"] == "120"
    google.faults.add("people", faults.unavailable())
    assert "Retry-After" not in caller.connections().headers


def test_any_answer_can_be_ordered(caller: Caller, google: Sandbox) -> None:
    google.faults.add("people", faults.respond(418, {"tea": 1}, {"X-Pot": "yes"}))
    google.faults.add("people", faults.respond(200, "<html>sign in</html>"))
    google.faults.add("people", faults.respond(200, b'{"x": NaN}'))
    tea, page, odd = (caller.connections() for _ in range(3))
    assert (tea.json(), tea.headers["X-Pot"]) == ({"tea": 1}, "yes")
    assert page.headers["Content-Type"].startswith("text/html")
    assert odd.text == '{"x": NaN}'


def test_a_real_answer_can_be_edited(caller: Caller, google: Sandbox, account: Account) -> None:
    account.add_person()
    google.faults.add("people", faults.edited(lambda page: page.pop("nextSyncToken")))
    page = caller.connections().json()
    assert "nextSyncToken" not in page
    assert len(page["connections"]) == 1


def test_a_reset_request_never_happened(caller: Caller, google: Sandbox) -> None:
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    google.world.grants.rotate_refresh_tokens = True
    google.faults.add("token", faults.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        caller.refresh(token)
    assert caller.refresh(token).status_code == 200


def test_a_lost_answer_leaves_its_effect(caller: Caller, google: Sandbox) -> None:
    token = google.world.grants.issue_refresh(ANN, (CONTACTS,))
    google.world.grants.rotate_refresh_tokens = True
    google.faults.add("token", faults.lost_answer())
    with pytest.raises(requests.ConnectionError, match="reset"):
        caller.refresh(token)
    assert caller.refresh(token).json()["error"] == "invalid_grant"


def test_a_truncated_body_ends_before_its_length(caller: Caller, google: Sandbox) -> None:
    google.faults.add("people", faults.truncated())
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        caller.connections()


def test_a_cut_gzip_stream_looks_whole_to_a_careless_client(caller: Caller, google: Sandbox) -> None:
    google.faults.add("people", faults.gzip_cut())
    answer = caller.connections()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "nextSyncToken" in answer.json()


def test_a_dripping_body_outwits_a_read_timeout(caller: Caller, google: Sandbox) -> None:
    google.faults.add("people", faults.dripping(timedelta(milliseconds=1)))
    url = f"{google.url}/v1/people/me/connections?personFields=names"
    headers = {"Authorization": f"Bearer {caller.token}"}
    with caller.session.get(url, headers=headers, stream=True, timeout=5) as answer:
        pieces = list(answer.iter_content(chunk_size=None))
    assert b"".join(pieces) == b"{}"


def test_a_slow_answer_comes_too_late_for_a_short_timeout(caller: Caller, google: Sandbox) -> None:
    google.faults.add("any", faults.slow(timedelta(minutes=5)))
    with pytest.raises(requests.ReadTimeout):
        caller.session.get(google.url, timeout=0.2)


@pytest.mark.parametrize("stage", faults.Stage)
def test_something_can_be_done_at_each_stage_of_an_exchange(
    caller: Caller, google: Sandbox, stage: faults.Stage
) -> None:
    done: list[faults.Stage] = []
    google.faults.add("people", faults.at(stage, lambda: done.append(stage)))
    assert caller.connections().status_code == 200
    wait_until(lambda: done == [stage])  # after the body, the client may be faster
