"""What goes in and out: a request as the endpoints see it, an answer, and Google's error bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
EXPIRED_SYNC_TOKEN = "Sync token is expired. Clear local cache and retry call without the sync token."  # noqa: S105  (a text, no secret)
INVALID_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: `query` keeps repeated parameters, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def param(self, name: str) -> str:
        """The last value of a query parameter; "" where it is missing or empty."""
        return self.query.get(name, [""])[-1]

    @property
    def bearer(self) -> str:
        """The access token of the Authorization header, or ""."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer before it is compressed and framed."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class RefusedError(Exception):
    """A request that ends with an error answer, raised from wherever the reason was found."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def encode(value: object) -> bytes:
    """Compact JSON in UTF-8; escaped where the text holds lone surrogates, which UTF-8 can't carry."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that carries `value` as JSON."""
    return Answer(status, encode(value), JSON, tuple((headers or {}).items()))


def html_answer(text: str, status: int = 200) -> Answer:
    """An answer for a browser, or what a front end sends when its back end is gone."""
    return Answer(status, text.encode(), HTML)


def google_error(
    code: int,
    status: str,
    message: str,
    *details: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Google's error envelope; `details` is left out where there are none."""
    error: dict[str, object] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = list(details)
    return json_answer({"error": error}, code, headers)


def error_info(reason: str, domain: str, **metadata: str) -> dict[str, object]:
    """A google.rpc.ErrorInfo for the `details` of an error."""
    info: dict[str, object] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
    return {**info, "metadata": metadata} if metadata else info


def invalid_argument(message: str = "Request contains an invalid argument.") -> Answer:
    """400: a bad parameter, a corrupt token, or parameters that differ from the first call's."""
    return google_error(400, "INVALID_ARGUMENT", message)


def expired_sync_token(status: str = "FAILED_PRECONDITION") -> Answer:
    """400 as Google answers a sync token that is too old; both words for `status` were seen in the wild."""
    return google_error(400, status, EXPIRED_SYNC_TOKEN, error_info("EXPIRED_SYNC_TOKEN", "people.googleapis.com"))


def unauthenticated() -> Answer:
    """401 for a missing, unknown or expired access token."""
    challenge = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return google_error(401, "UNAUTHENTICATED", INVALID_CREDENTIALS, headers=challenge)


def scope_insufficient(method: str) -> Answer:
    """403 for a grant without the scope that `method` (of google.people.v1.PeopleService) needs."""
    info = error_info(
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "googleapis.com",
        service="people.googleapis.com",
        method=f"google.people.v1.PeopleService.{method}",
    )
    return google_error(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", info)


def oauth_error(error: str, description: str, status: int = 400) -> Answer:
    """An error of the token and revocation endpoints."""
    return json_answer({"error": error, "error_description": description}, status)


def not_found() -> Answer:
    """404 of the API for a person or group that isn't there."""
    return google_error(404, "NOT_FOUND", "Requested entity was not found.")
