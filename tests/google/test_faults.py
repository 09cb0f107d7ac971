"""Each answer of Google's means one thing to do."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, ReadTimeoutError
from urllib3.util.ssl_match_hostname import CertificateError

from contacts_sync import errors
from contacts_sync.errors import SyncError
from contacts_sync.google import faults

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXPIRED = "Sync token is expired. Clear local cache and retry call without the sync token."


def body(code: int, status: str = "", message: str = "", *reasons: str, **metadata: str) -> bytes:
    """Google's error envelope."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [
        {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata} for reason in reasons
    ]
    error = {"code": code, "message": message, "status": status, **({"details": details} if details else {})}
    return json.dumps({"error": error}).encode()


def judged(status: int, content: bytes = b"", *, token: bool = False, **headers: str) -> SyncError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return faults.judge(status, named, content, carried_sync_token=token, now=NOW)


LINK = "https://console.developers.google.com/apis/api/people.googleapis.com/overview?project=1"
LEGACY = b'{"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded", "domain": "usageLimits"}]}}'
LEGACY_DISABLED = b'{"error": {"errors": [{"reason": "accessNotConfigured"}]}}'
SCOPE = body(403, "PERMISSION_DENIED", "", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
TABLE: list[tuple[str, Callable[[], SyncError], type[SyncError]]] = [
    (
        "401",
        partial(judged, 401, body(401, "UNAUTHENTICATED", "Request had invalid credentials")),
        errors.AccessTokenRejected,
    ),
    ("scope", partial(judged, 403, SCOPE), errors.ScopeMissing),
    ("disabled", partial(judged, 403, body(403, "PERMISSION_DENIED", "", "SERVICE_DISABLED")), errors.OperatorTrouble),
    ("rate 403", partial(judged, 403, body(403, "PERMISSION_DENIED", "", "RATE_LIMIT_EXCEEDED")), errors.QuotaExceeded),
    ("legacy rate 403", partial(judged, 403, LEGACY), errors.QuotaExceeded),
    ("other 403", partial(judged, 403, body(403, "PERMISSION_DENIED", "no")), errors.RequestRejected),
    ("a list", partial(judged, 400, b"[]"), errors.RequestRejected),
    ("html 403", partial(judged, 403, b"<html>"), errors.RequestRejected),
    ("429", partial(judged, 429, body(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted")), errors.QuotaExceeded),
    ("empty 429", partial(judged, 429), errors.QuotaExceeded),
    (
        "400",
        partial(judged, 400, body(400, "INVALID_ARGUMENT", "Invalid personFields mask path")),
        errors.RequestRejected,
    ),
    ("404", partial(judged, 404, body(404, "NOT_FOUND", "Requested entity was not found.")), errors.RequestRejected),
    ("html 404", partial(judged, 404, b"<html>"), errors.OperatorTrouble),
    ("cached", partial(judged, 304), errors.RequestRejected),
    ("no content", partial(judged, 204), errors.PassingTrouble),
    ("part", partial(judged, 206, b"{}"), errors.PassingTrouble),
    ("quota 403", partial(judged, 403, body(403, "RESOURCE_EXHAUSTED")), errors.QuotaExceeded),
    (
        "legacy disabled",
        partial(judged, 403, LEGACY_DISABLED),
        errors.OperatorTrouble,
    ),
    ("redirect", partial(judged, 302), errors.RequestRejected),
    ("500", partial(judged, 500, body(500, "INTERNAL", "Internal error encountered.")), errors.PassingTrouble),
    ("html 502", partial(judged, 502, b"<title>502</title>"), errors.PassingTrouble),
    ("503", partial(judged, 503, body(503, "UNAVAILABLE", "")), errors.PassingTrouble),
    ("503 for long", partial(judged, 503, Retry_After="120"), errors.QuotaExceeded),
    ("401 for long", partial(judged, 401, Retry_After="120"), errors.QuotaExceeded),
    ("400 for long", partial(judged, 400, body(400, "INVALID_ARGUMENT"), Retry_After="61"), errors.QuotaExceeded),
    ("scope for long", partial(judged, 403, SCOPE, Retry_After="120"), errors.ScopeMissing),
    ("503 for short", partial(judged, 503, Retry_After="20"), errors.PassingTrouble),
    ("503 for a minute", partial(judged, 503, Retry_After="60"), errors.PassingTrouble),
    ("400 for a minute", partial(judged, 400, Retry_After="60"), errors.RequestRejected),
    ("408", partial(judged, 408), errors.PassingTrouble),
    ("299", partial(judged, 299), errors.PassingTrouble),
    ("300", partial(judged, 300), errors.RequestRejected),
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_table(answer: Callable[[], SyncError], kind: type[SyncError]) -> None:
    assert type(answer()) is kind


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (400, body(400, "FAILED_PRECONDITION", EXPIRED, "EXPIRED_SYNC_TOKEN")),
        (400, body(400, "INVALID_ARGUMENT", EXPIRED, "EXPIRED_SYNC_TOKEN")),
        (400, body(400, "FAILED_PRECONDITION", "", "EXPIRED_SYNC_TOKEN")),
        (400, body(400, "FAILED_PRECONDITION", EXPIRED)),
        (400, body(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
        (414, b"<html>URI Too Long</html>"),
        (410, b""),
        (410, json.dumps({"error": {"message": EXPIRED}}).encode()),
        (404, body(404, "NOT_FOUND", EXPIRED, "EXPIRED_SYNC_TOKEN")),
    ],
)
def test_a_rejected_sync_token_is_known_in_all_its_forms_but_only_if_one_was_sent(status: int, content: bytes) -> None:
    assert type(judged(status, content, token=True)) is errors.SyncTokenExpired
    assert type(judged(status, content)) is errors.RequestRejected


@pytest.mark.parametrize(
    "content",
    [body(400, "FAILED_PRECONDITION", "off"), body(400, "INVALID_ARGUMENT", "Invalid personFields mask path")],
)
def test_what_blames_something_else_is_no_token_trouble(content: bytes) -> None:
    assert type(judged(400, content, token=True)) is errors.RequestRejected


def test_a_server_in_trouble_says_nothing_about_a_sync_token() -> None:
    assert type(judged(500, body(500, "INTERNAL", "", "EXPIRED_SYNC_TOKEN"), token=True)) is errors.PassingTrouble


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (partial(judged, 429), "Google's quota is used up (HTTP 429)", ""),
        (partial(judged, 503), "Google is in trouble (HTTP 503)", ""),
        (partial(judged, 410, token=True), "Google no longer takes the sync token", ""),
        (partial(judged, 401), "Google refuses the access token (HTTP 401)", ""),
        (partial(judged, 302), "Google's address answers with a redirect (HTTP 302), which is not followed", ""),
        (partial(judged, 399), "Google's address answers with a redirect (HTTP 399), which is not followed", ""),
        (
            partial(judged, 404, b"<html>"),
            "no People API at the configured address (HTTP 404)",
            "check google.endpoints.people",
        ),
        (partial(judged, 400), "Google refuses the request (HTTP 400)", ""),
        (partial(judged, 400, body(400, "hostile \x1b")), "Google refuses the request (HTTP 400)", ""),
        (partial(judged, 403, body(403, "DENIED")), "Google refuses the request (HTTP 403 DENIED)", ""),
        (partial(judged, 403, SCOPE), "the permission to read contacts was not granted", faults.CONSENT_AGAIN),
        (
            partial(judged, 403, body(403, "", "", "SERVICE_DISABLED")),
            "the People API is not enabled in your Google project",
            faults.ENABLE_API,
        ),
        (
            partial(judged, 403, LEGACY_DISABLED),
            "the People API is not enabled in your Google project",
            faults.ENABLE_API,
        ),
        (
            partial(judged, 403, body(403, "", "", "SERVICE_DISABLED", activationUrl=LINK)),
            "the People API is not enabled in your Google project",
            f"{faults.ENABLE_API} ({LINK})",
        ),
    ],
)
def test_what_an_operator_reads(answer: Callable[[], SyncError], message: str, hint: str) -> None:
    assert (str(answer()), answer().hint) == (message, hint)


def test_the_wait_that_google_asks_for_comes_along() -> None:
    for status in (429, 503):
        assert judged(status, Retry_After="20").retry_after == timedelta(seconds=20)
        assert token_error(status, Retry_After="20").retry_after == timedelta(seconds=20)
    assert judged(503, Retry_After="120").retry_after == timedelta(minutes=2)
    assert judged(429, Retry_After="Mon, 23 Nov 2026 12:01:30 GMT").retry_after == timedelta(seconds=90)
    assert token_error(429, Retry_After="Mon, 23 Nov 2026 12:01:30 GMT").retry_after == timedelta(seconds=90)
    assert token_error(400, Retry_After="120").retry_after == timedelta(minutes=2)


@pytest.mark.parametrize("link", ["https://evil.example/", "https://console.evilgoogle.com/", f"{LINK} evil"])
def test_a_hostile_link_is_not_repeated(link: str) -> None:
    error = judged(403, body(403, "", "", "SERVICE_DISABLED", activationUrl=link))
    assert error.hint == faults.ENABLE_API


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("0000000030", 30),
        ("99999999999", 3600),
        ("9" * 50, 3600),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90),
        ("Mon, 23 Nov 2020 12:00:00 GMT", 1),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds(value: str, seconds: int) -> None:
    assert faults.retry_after({"retry-after": value}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "Mon, 99 Nov 2026", "Mon, 23 Nov 2026 12:01:30 -0000"])
def test_a_senseless_retry_after_is_none(value: str) -> None:
    assert faults.retry_after({"Retry-After": value}, NOW) is None


def token_error(status: int, error: str = "", description: str = "", **headers: str) -> SyncError:
    content = json.dumps({"error": error, "error_description": description}).encode() if error else b"<html>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return faults.judge_token_answer(status, named, content, now=NOW)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (partial(token_error, 400, "invalid_grant", "Token has been expired or revoked."), errors.GrantRejected),
        (partial(token_error, 400, "invalid_grant", "reauth related error (invalid_rapt)"), errors.GrantRejected),
        (partial(token_error, 401, "invalid_client", "The OAuth client was not found."), errors.OperatorTrouble),
        (partial(token_error, 401, "deleted_client"), errors.OperatorTrouble),
        (partial(token_error, 401, "unauthorized_client"), errors.OperatorTrouble),
        (partial(token_error, 400, "invalid_request"), errors.RequestRejected),
        (partial(token_error, 503), errors.PassingTrouble),
        (partial(token_error, 500, "internal_failure"), errors.PassingTrouble),
        (partial(token_error, 400), errors.PassingTrouble),
        (partial(token_error, 429), errors.QuotaExceeded),
        (partial(token_error, 404), errors.OperatorTrouble),
        (partial(token_error, 399), errors.OperatorTrouble),
        (partial(token_error, 300), errors.OperatorTrouble),
        (partial(token_error, 400, "temporarily_unavailable"), errors.PassingTrouble),
        (partial(token_error, 403, "RATE_LIMIT_EXCEEDED"), errors.QuotaExceeded),
        (partial(token_error, 400, "invalid_grant", Retry_After="120"), errors.GrantRejected),
        (partial(token_error, 400, Retry_After="120"), errors.QuotaExceeded),
        (partial(token_error, 400, Retry_After="60"), errors.PassingTrouble),
    ],
)
def test_the_token_endpoints_table(answer: Callable[[], SyncError], kind: type[SyncError]) -> None:
    assert type(answer()) is kind


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (partial(token_error, 429), "Google's token endpoint is over its quota (HTTP 429)", ""),
        (partial(token_error, 500), "Google's token endpoint is in trouble (HTTP 500)", ""),
        (partial(token_error, 408), "Google's token endpoint asks to come again (HTTP 408)", ""),
        (
            partial(token_error, 401, "invalid_client"),
            "Google refuses the OAuth client: invalid_client",
            faults.CHECK_CLIENT,
        ),
        (
            partial(token_error, 400, "invalid_grant", "Token has been expired or revoked."),
            "the grant is no longer valid: invalid_grant (Token has been expired or revoked.)",
            faults.CONSENT_AGAIN,
        ),
        (
            partial(token_error, 400, "invalid_grant", "\x1b]52;x"),
            "the grant is no longer valid: invalid_grant",
            faults.CONSENT_AGAIN,
        ),
        (
            partial(token_error, 302),
            "no token endpoint at the configured address (HTTP 302)",
            "check google.endpoints.token",
        ),
        (partial(token_error, 400), "Google's token endpoint answers without an OAuth error (HTTP 400)", ""),
        (
            partial(token_error, 400, "invalid_request"),
            "Google's token endpoint refuses the request: invalid_request",
            "",
        ),
        (partial(token_error, 400, "<b>"), "Google's token endpoint refuses the request: unknown error", ""),
    ],
)
def test_what_an_operator_reads_about_tokens(answer: Callable[[], SyncError], message: str, hint: str) -> None:
    assert (str(answer()), answer().hint) == (message, hint)


class Wrapped(requests.RequestException):
    """What the pool wraps: the cause stands in `reason`."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def because(cause: Exception, *, named: bool) -> Exception:
    """An error raised while another was handled, or from it."""
    try:
        try:
            raise cause
        except type(cause) as caught:
            if named:
                raise requests.ConnectionError(OSError()) from caught
            raise requests.ConnectionError(OSError())  # noqa: B904  (this is the case)
    except requests.ConnectionError as error:
        return error


TOLD = {
    "certificate": (errors.OperatorTrouble, "Google's certificate is not trusted"),
    "credentials": (errors.OperatorTrouble, "the configured proxy asks for credentials"),
    "proxy": (errors.PassingTrouble, "the configured proxy refuses or fails"),
    "name": (errors.PassingTrouble, "Google's name can't be resolved"),
    "unreachable": (errors.PassingTrouble, "Google can't be reached in time"),
    "silent": (errors.PassingTrouble, "Google didn't answer in time"),
    "failed": (errors.PassingTrouble, "the connection to Google failed (ConnectionError)"),
}
POOL: Any = None  # the pool isn't looked at


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError()), "certificate"),
        (requests.exceptions.SSLError(CertificateError("secret")), "certificate"),
        (requests.exceptions.ProxyError("Tunnel connection failed: 407 Proxy Authentication Required"), "credentials"),
        (requests.exceptions.ProxyError("Tunnel connection failed: 403 Forbidden"), "proxy"),
        (requests.ConnectionError("407"), "failed"),
        (requests.ConnectionError(NameResolutionError("x", POOL, socket.gaierror("secret"))), "name"),
        (because(socket.gaierror("secret"), named=True), "name"),
        (because(socket.gaierror("secret"), named=False), "name"),
        (Wrapped(socket.gaierror("secret")), "name"),
        (requests.ConnectTimeout("secret"), "unreachable"),
        (Wrapped(ConnectTimeoutError("secret")), "unreachable"),
        (requests.ReadTimeout("https://x/?token=secret"), "silent"),
        (requests.ConnectionError(ReadTimeoutError(POOL, "secret", "secret")), "silent"),
        (requests.ConnectionError("https://x/?code=4/0Asecret"), "failed"),
    ],
)
def test_transport_trouble_is_told_by_its_kind_and_repeats_no_url(trouble: Exception, told: str) -> None:
    error = faults.judge_transport(trouble)
    assert (type(error), str(error)) == TOLD[told]


def test_transport_trouble_names_the_key_to_check() -> None:
    certificate = requests.exceptions.SSLError(ssl.SSLCertVerificationError())
    hint = "check google.endpoints, google.endpoints.ca_file, and this host's clock"
    assert faults.judge_transport(certificate).hint == hint
    for status in (407, 403):
        refused = requests.exceptions.ProxyError(f"Tunnel connection failed: {status}")
        assert faults.judge_transport(refused).hint == "check google.endpoints.proxy"


def test_a_page_token_is_blamed_only_if_one_was_sent_and_no_sync_token_with_it() -> None:
    content = body(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")

    def kind(**carried: bool) -> type[SyncError]:
        return type(faults.judge(400, {}, content, **{"carried_sync_token": False, "now": NOW, **carried}))  # type: ignore[arg-type]  # flags besides a time

    rejected = faults.judge(400, {}, content, carried_sync_token=False, now=NOW, carried_page_token=True)
    assert str(rejected) == "Google no longer takes the page token of this listing"
    assert kind(carried_page_token=True) is errors.PageTokenRejected
    assert kind(carried_page_token=True, carried_sync_token=True) is errors.SyncTokenExpired
    assert kind() is errors.RequestRejected
    too_long = faults.judge(414, {}, b"", carried_sync_token=False, now=NOW, carried_page_token=True)
    assert type(too_long) is errors.PageTokenRejected


@given(st.text())
def test_no_retry_after_is_too_odd(value: str) -> None:
    wait = faults.retry_after({"Retry-After": value}, NOW)
    assert wait is None or faults.SHORTEST_WAIT <= wait <= faults.LONGEST_WAIT


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.integers(201, 599), st.one_of(st.binary(), json_values.map(lambda value: json.dumps({"error": value}).encode()))
)
def test_whatever_comes_gets_a_judgement(status: int, content: bytes) -> None:
    assert isinstance(judged(status, content, token=True), SyncError)
    assert isinstance(faults.judge_token_answer(status, {}, content, now=NOW), SyncError)
