"""The kinds of trouble that can be ordered, ready made.

`sandbox.faults.add("people", unavailable(), page=2)`: the next request for a second page is answered 503.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

from contacts_sync.sandbox import answers
from contacts_sync.sandbox.answers import HTML, JSON, Answer, encode, error_info, google_error, html_answer

PROJECT = "000000000000"
_ACTIVATION = f"https://console.developers.google.com/apis/api/people.googleapis.com/overview?project={PROJECT}"


class Delivery(Enum):
    """What becomes of an answer on its way."""

    WHOLE = "whole"
    REFUSED = "refused"  # the connection is reset before the request has any effect
    LOST = "lost"  # the request takes its effect, then the connection is reset
    TRUNCATED = "truncated"  # Content-Length promises more than comes
    GZIP_CUT = "gzip cut"  # a complete HTTP answer whose gzip stream lacks its end
    DRIPPED = "dripped"  # byte by byte
    GARBLED = "garbled"  # what goes over the line is changed, then the connection ends
    GARBLED_RESET = "garbled, reset"  # the same, and it ends with RST


class Stage(Enum):
    """A moment of an exchange, as the server sees it."""

    REQUEST = "on request"  # before the request has any effect
    HEADERS = "after headers"
    BODY = "mid body"
    END = "after body"


@dataclass(frozen=True, slots=True)
class Gate:
    """A request that is held: wait for `arrived`, look around, `release()`."""

    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Lets the request, and all that the same rule holds later, go on."""
        self.released.set()


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble. `answer` replaces the real one, `edit` changes the real one's JSON, `garble` all the bytes
    of an answer as they go over the line, head and body; `delay` comes before; `pause` is the time between two
    dripped bytes.
    """

    answer: Answer | None = None
    edit: Callable[[dict[str, Any]], object] | None = None
    garble: Callable[[bytes], bytes] | None = None
    delay: timedelta = timedelta()
    pause: timedelta = timedelta()
    delivery: Delivery = Delivery.WHOLE
    gate: Gate | None = None
    stage: Stage | None = None  # when `act` is called
    act: Callable[[], object] | None = None
    needs_sync_token: bool = False  # strikes only requests that carry one


def respond(
    status: int, body: Mapping[str, object] | str | bytes = b"", headers: Mapping[str, str] | None = None
) -> Fault:
    """Any answer: a mapping goes out as JSON, text as HTML, bytes as they are (labelled JSON)."""
    extra = tuple((headers or {}).items())
    if isinstance(body, str):
        return Fault(Answer(status, body.encode(), HTML, extra))
    return Fault(Answer(status, body if isinstance(body, bytes) else encode(body), JSON, extra))


def edited(change: Callable[[dict[str, Any]], object]) -> Fault:
    """The real answer, after `change` was let loose on its JSON in place."""
    return Fault(edit=change)


def internal_error() -> Fault:
    """500 in Google's envelope."""
    return Fault(google_error(500, "INTERNAL", "Internal error encountered."))


def unavailable(retry_after: str | None = None) -> Fault:
    """503 in Google's envelope; `retry_after` as the header says it: seconds or an HTTP date."""
    return Fault(google_error(503, "UNAVAILABLE", "The service is currently unavailable.", headers=_wait(retry_after)))


def bad_gateway() -> Fault:
    """502 with the HTML page of a front end."""
    return Fault(html_answer("<html><title>Error 502 (Server Error)!!1</title><p>Bad Gateway</html>", 502))


def too_many_requests(retry_after: str | None = None) -> Fault:
    """429 with the quota text of the People API."""
    metric = "Critical read requests (Contact and Profile Reads)"
    text = f"Quota exceeded for quota metric '{metric}' and limit '{metric} per minute per user'"
    return Fault(google_error(429, "RESOURCE_EXHAUSTED", text, headers=_wait(retry_after)))


def empty_too_many_requests() -> Fault:
    """429 without a body, as the token endpoint may send it."""
    return Fault(Answer(429, b"", HTML))


def quota_forbidden(reason: str = "rateLimitExceeded") -> Fault:
    """403 whose reason says that it is a matter of quota."""
    text = "Quota exceeded. Please try again later."
    return Fault(google_error(403, "PERMISSION_DENIED", text, error_info(reason, "googleapis.com")))


def service_disabled() -> Fault:
    """403: the operator never enabled the People API for the project."""
    text = (
        f"People API has not been used in project {PROJECT} before or it is disabled. Enable it by visiting "
        f"{_ACTIVATION} then retry. If you enabled this API recently, wait a few minutes for the action to "
        "propagate to our systems and retry."
    )
    info = error_info(
        "SERVICE_DISABLED",
        "googleapis.com",
        consumer=f"projects/{PROJECT}",
        service="people.googleapis.com",
        serviceTitle="People API",
        activationUrl=_ACTIVATION,
    )
    link = {"description": "Google developers console API activation", "url": _ACTIVATION}
    help_links = {"@type": "type.googleapis.com/google.rpc.Help", "links": [link]}
    return Fault(google_error(403, "PERMISSION_DENIED", text, info, help_links))


def scope_insufficient() -> Fault:
    """403: the grant doesn't cover contacts."""
    return Fault(answers.scope_insufficient("ListConnections"))


def unauthenticated() -> Fault:
    """401, although the access token may be good."""
    return Fault(answers.unauthenticated())


def expired_sync_token(status: str = "FAILED_PRECONDITION") -> Fault:
    """400 for requests that carry a sync token, with either word that was seen for `status`."""
    return Fault(answers.expired_sync_token(status), needs_sync_token=True)


def gone_sync_token() -> Fault:
    """410 for requests that carry a sync token, as Google's own guide says."""
    body = {"error": {"code": 410, "message": answers.EXPIRED_SYNC_TOKEN, "status": "FAILED_PRECONDITION"}}
    return Fault(Answer(410, encode(body)), needs_sync_token=True)


def corrupt_sync_token() -> Fault:
    """400 INVALID_ARGUMENT for requests that carry a sync token."""
    return Fault(answers.invalid_argument(), needs_sync_token=True)


def invalid_argument() -> Fault:
    """400 INVALID_ARGUMENT, whatever the request."""
    return Fault(answers.invalid_argument())


def invalid_grant(description: str = "Token has been expired or revoked.") -> Fault:
    """400 of the token endpoint: the user's grant is dead."""
    return Fault(answers.oauth_error("invalid_grant", description))


def invalid_client() -> Fault:
    """401 of the token endpoint: the operator's client is wrong."""
    return Fault(answers.oauth_error("invalid_client", "The OAuth client was not found.", 401))


def slow(delay: timedelta) -> Fault:
    """The real answer, late."""
    return Fault(delay=delay)


def reset() -> Fault:
    """The connection is reset (RST) before the request has any effect."""
    return Fault(delivery=Delivery.REFUSED)


def lost_answer() -> Fault:
    """The request takes its effect, then the connection is reset instead of an answer."""
    return Fault(delivery=Delivery.LOST)


def truncated() -> Fault:
    """The body ends half way, before its Content-Length."""
    return Fault(delivery=Delivery.TRUNCATED)


def gzip_cut() -> Fault:
    """A complete HTTP answer whose gzip stream ends early; looks whole to a careless client."""
    return Fault(delivery=Delivery.GZIP_CUT)


def dripping(pause: timedelta) -> Fault:
    """The real answer, byte by byte with `pause` between them: a read timeout never strikes."""
    return Fault(delivery=Delivery.DRIPPED, pause=pause)


def garbled(change: Callable[[bytes], bytes], *, reset: bool = False, pause: timedelta = timedelta()) -> Fault:
    """The real answer, head and body, after `change`; byte by byte if there is a `pause`; then the connection ends."""
    delivery = Delivery.GARBLED_RESET if reset else Delivery.GARBLED
    return Fault(garble=change, delivery=delivery, pause=pause)


def at(stage: Stage, act: Callable[[], object]) -> Fault:
    """The real answer; at that stage of it `act` is called, say to kill who waits for it."""
    return Fault(stage=stage, act=act)


def _wait(retry_after: str | None) -> dict[str, str]:
    return {} if retry_after is None else {"Retry-After": retry_after}
