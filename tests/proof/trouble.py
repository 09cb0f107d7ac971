"""The kinds of trouble that an answer can be in, and what each must lead to, place by place."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from contacts_sync.google.body import LARGEST_PAGE
from contacts_sync.model import ConnectionStatus, RunStatus
from contacts_sync.sandbox import faults
from contacts_sync.sandbox.answers import error_info, google_error, oauth_error
from contacts_sync.sandbox.faults import Fault, garbled, respond

Place = Literal["first", "middle", "last", "groups", "token"]
PAGES: tuple[Place, ...] = ("first", "middle", "last")
PLACES: tuple[Place, ...] = (*PAGES, "groups", "token")
END_OF_HEAD = b"\r\n\r\n"
SHORT = timedelta(milliseconds=400)  # the read timeout of the slow kinds


@dataclass(frozen=True, slots=True)
class End:
    """What becomes of a run that meets lasting trouble: its error (None: it succeeds all the same), its state and
    its user's; how many struck requests arrive; the seconds waited between them, or until a deferred run goes on.
    """

    error: str | None
    status: RunStatus = RunStatus.FAILED
    requests: int = 1
    waits: tuple[float, ...] = ()
    put_off: float | None = None
    connection: ConnectionStatus = ConnectionStatus.CONNECTED
    pauses_all: bool = False
    between: tuple[str, ...] = ()  # requests elsewhere, between two struck ones
    after: tuple[str, ...] = ()  # and behind the last one
    goes_on: bool = False  # with what comes next

    def sequence(self, calm: list[str], struck: str) -> list[str]:
        """The requests that arrive, from the run's first to its last; `calm` are those of a run without trouble."""
        place = calm.index(struck)
        rest = calm[place + 1 :]
        without_labels = rest if struck == "groups" and self.error in (RETRIED.error, REFUSED.error) else []
        again = [*self.between, struck] * (self.requests - 1)
        return [*calm[:place], struck, *without_labels, *again, *(rest if self.goes_on else self.after)]


RETRIED = End("PassingTrouble", requests=3, waits=(2, 4))
REFUSED = End("RequestRejected")
OPERATOR = End("OperatorTrouble", RunStatus.QUEUED, pauses_all=True)
DEAD = End("GrantRejected", connection=ConnectionStatus.NEEDS_REAUTH)
TOLERATED = End(None, RunStatus.SUCCEEDED, goes_on=True)


def put_off(seconds: float) -> End:
    return End("QuotaExceeded", RunStatus.QUEUED, put_off=seconds)


def retried(*waits: float) -> End:
    return End("PassingTrouble", requests=3, waits=waits)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble: `end` wherever `ends` says nothing else; a place whose end is None isn't struck."""

    name: str
    fault: Fault
    end: End | None = RETRIED
    ends: Mapping[str, End | None] = field(default_factory=dict)
    slow: bool = False  # the client must lose patience: its read timeout is made short

    def at(self, place: Place) -> End | None:
        return self.ends.get(place, self.end)

    def __str__(self) -> str:
        return self.name


# -- what goes over the line


def head(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the head of an answer, without the empty line at its end."""

    def apply(framed: bytes) -> bytes:
        found, _, body = framed.partition(END_OF_HEAD)
        return change(found) + END_OF_HEAD + body

    return apply


def body(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the body of an answer; its Content-Length is made to fit."""

    def apply(framed: bytes) -> bytes:
        found, _, old = framed.partition(END_OF_HEAD)
        new = change(old)
        return found.replace(b"Length: %d" % len(old), b"Length: %d" % len(new)) + END_OF_HEAD + new

    return apply


def without_length(framed: bytes) -> bytes:
    return b"\r\n".join(line for line in framed.split(b"\r\n") if not line.startswith(b"Content-Length"))


def unlabelled_half(framed: bytes) -> bytes:
    """Neither length nor compression: only the JSON tells that the rest is missing."""
    found, _, zipped = framed.partition(END_OF_HEAD)
    plain = gzip.decompress(zipped)
    lines = [line for line in found.split(b"\r\n") if b"gzip" not in line and b"Length" not in line]
    return b"\r\n".join(lines) + END_OF_HEAD + plain[: len(plain) // 2]


def half_a_chunk(framed: bytes) -> bytes:
    found, _, zipped = framed.partition(END_OF_HEAD)
    lines = [line for line in found.split(b"\r\n") if b"Length" not in line]
    chunked = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    return chunked + END_OF_HEAD + b"%x\r\n" % len(zipped) + zipped[: len(zipped) // 2]


def as_chunks(framed: bytes) -> bytes:
    found, _, zipped = framed.partition(END_OF_HEAD)
    lines = [line for line in found.split(b"\r\n") if b"Length" not in line]
    chunked = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    chunks = b"".join(b"1\r\n" + zipped[at : at + 1] + b"\r\n" for at in range(len(zipped)))
    return chunked + END_OF_HEAD + chunks + b"0\r\n\r\n"


def forwarded(status: int, to: str) -> Fault:
    return respond(status, b"{}", {"Location": to})


def redirected(status: int, to: str) -> Kind:
    return Kind(f"redirect {status} to {to}", forwarded(status, to), REFUSED, {"token": OPERATOR})


def reasoned(status: int, word: str, reason: str = "") -> Fault:
    details = [error_info(reason, "googleapis.com")] if reason else []
    return Fault(google_error(status, word, "No.", *details))


def oauth(error: str, status: int = 400) -> Fault:
    return Fault(oauth_error(error, "No.", status))


ONLY_AT_THE_TOKEN_ENDPOINT: Mapping[str, End | None] = dict.fromkeys((*PAGES, "groups"))
NOT_THERE: Mapping[str, End | None] = {"token": None}
FULL_INSTEAD = End(None, RunStatus.SUCCEEDED, after=("people 1", "people 2", "people 3"))
ONLY_WITH_SYNC_TOKEN: Mapping[str, End | None] = {"groups": None, "token": None}
FROM_THE_START = End(  # first the sync token is blamed, then the page token, for which a listing begins anew
    "PageTokenRejected", requests=4, waits=(2, 4), between=("people 1",)
)
LISTED_AGAIN = End("PageTokenRejected", requests=4, waits=(2, 4), between=("people 1", "people 2"))
REFRESHED_ONCE = End("GrantRejected", requests=2, between=("token",), connection=ConnectionStatus.NEEDS_REAUTH)
SCOPE = End("ScopeMissing", connection=ConnectionStatus.NEEDS_REAUTH)

ANSWERS = (
    Kind("500", faults.internal_error()),
    Kind("502 with a page", faults.bad_gateway()),
    Kind("503", faults.unavailable()),
    Kind("503, 3 seconds", faults.unavailable("3"), retried(3, 4)),
    Kind("503, 2 minutes", faults.unavailable("120"), put_off(120)),
    Kind("503, an odd Retry-After", faults.unavailable("soon")),
    Kind("504 without a body", respond(504)),
    Kind("408", respond(408)),
    Kind("204", respond(204)),
    Kind("206", respond(206, b"{}")),
    Kind("304", respond(304), REFUSED, {"token": OPERATOR}),
    Kind("200 with a page", respond(200, "<title>Sign in to the hotel's network</title>")),
    Kind("200 without a body", respond(200, b"")),
    Kind("200 that says error", respond(200, {"error": {"code": 503, "status": "UNAVAILABLE"}})),
    Kind("a list", respond(200, b"[]")),
    Kind("half of an object", respond(200, b'{"connections":[{"resourceName":"people/c1"')),
    Kind("deep JSON", respond(200, b'{"connections":' + b"[" * 200_000 + b"]" * 200_000 + b"}")),
    Kind("a number of 5,000 digits", respond(200, b'{"connections":[{"x":' + b"9" * 5_000 + b"}]}")),
    Kind("a name twice", respond(200, b'{"connections":[],"contactGroups":[],"connections":[],"contactGroups":[]}')),
    Kind("NaN", respond(200, b'{"connections":[{"x":NaN}]}')),
    Kind("a number past infinity", respond(200, b'{"connections":[{"x":1e999}]}')),
    Kind("a byte order mark", respond(200, b"\xef\xbb\xbf{}")),
    Kind("400", reasoned(400, "FAILED_PRECONDITION"), REFUSED, {"token": RETRIED}),
    Kind("401", faults.unauthenticated(), REFRESHED_ONCE, {"token": RETRIED}),
    Kind("403, unknown reason", reasoned(403, "PERMISSION_DENIED", "WHATEVER"), REFUSED, {"token": RETRIED}),
    Kind("403 with a page", respond(403, "<title>Forbidden</title>"), REFUSED, {"token": RETRIED}),
    Kind("403, scope", faults.scope_insufficient(), SCOPE, NOT_THERE),
    Kind("403, API disabled", faults.service_disabled(), OPERATOR, NOT_THERE),
    Kind("403, rate limit", faults.quota_forbidden(), put_off(60), NOT_THERE),
    Kind("403, user's rate limit", faults.quota_forbidden("userRateLimitExceeded"), put_off(60), NOT_THERE),
    Kind("404 with a page", respond(404, "<title>Not Found</title>"), OPERATOR),
    Kind("404 in Google's words", reasoned(404, "NOT_FOUND"), REFUSED, {"token": OPERATOR}),
    Kind("429", faults.too_many_requests(), put_off(60)),
    Kind("429 without a body", faults.empty_too_many_requests(), put_off(60)),
    Kind("429, 90 seconds", faults.too_many_requests("90"), put_off(90)),
    Kind("429, in ten years", faults.too_many_requests("Wed, 21 Oct 2037 07:28:00 GMT"), put_off(3600)),
    Kind("429, long ago", faults.too_many_requests("Wed, 21 Oct 2015 07:28:00 GMT"), put_off(1)),
    Kind("429, negative", faults.too_many_requests("-1"), put_off(60)),
    redirected(301, "/v1/people/me/connections"),
    redirected(302, "http://127.0.0.1:1/"),
    redirected(307, "http://169.254.169.254/latest/meta-data/"),
    redirected(308, "https://elsewhere.example/"),
    Kind(
        "a sync token too old",
        faults.expired_sync_token(),
        FULL_INSTEAD,
        {"groups": None, "token": None},
    ),
    Kind("a sync token that is gone", faults.gone_sync_token(), FULL_INSTEAD, ONLY_WITH_SYNC_TOKEN),
    Kind("a corrupt sync token", faults.corrupt_sync_token(), FULL_INSTEAD, ONLY_WITH_SYNC_TOKEN),
    Kind(
        "an argument, whichever",
        faults.invalid_argument(),
        REFUSED,
        {
            "first": End("RequestRejected", requests=2),
            "middle": FROM_THE_START,
            "last": LISTED_AGAIN,
            "token": RETRIED,
        },
    ),
    Kind("invalid_grant", faults.invalid_grant(), DEAD, ONLY_AT_THE_TOKEN_ENDPOINT),
    Kind("invalid_client", faults.invalid_client(), OPERATOR, ONLY_AT_THE_TOKEN_ENDPOINT),
    Kind("unauthorized_client", oauth("unauthorized_client"), OPERATOR, ONLY_AT_THE_TOKEN_ENDPOINT),
    Kind("invalid_scope", oauth("invalid_scope"), REFUSED, ONLY_AT_THE_TOKEN_ENDPOINT),
    Kind("temporarily_unavailable", oauth("temporarily_unavailable"), RETRIED, ONLY_AT_THE_TOKEN_ENDPOINT),
)
BOMB = gzip.compress(bytes(LARGEST_PAGE + 1), 9)
LINE = (
    Kind("reset before an effect", faults.reset()),
    Kind("reset instead of an answer", faults.lost_answer()),
    Kind("reset in the head", garbled(lambda framed: framed[:40], reset=True)),
    Kind("reset after the head", garbled(lambda framed: framed.partition(END_OF_HEAD)[0] + END_OF_HEAD, reset=True)),
    Kind("reset in the body", garbled(lambda framed: framed[:-20], reset=True)),
    Kind("hung up in the head", garbled(lambda framed: framed[:40])),
    Kind("hung up without a word", garbled(lambda framed: framed[:0])),
    Kind("a body shorter than its length", faults.truncated()),
    Kind("half a body of no length", garbled(unlabelled_half)),
    Kind("half a chunk", garbled(half_a_chunk)),
    Kind("gzip without its trailer", faults.gzip_cut()),
    Kind("gzip cut in the middle", garbled(body(lambda zipped: zipped[: len(zipped) // 2]))),
    Kind("gzip that is none", garbled(body(lambda zipped: b"no gzip" + zipped))),
    Kind("gzip with a wrong check sum", garbled(body(lambda zipped: zipped[:-8] + bytes(4) + zipped[-4:]))),
    Kind("an unasked compression", garbled(head(lambda found: found.replace(b"gzip", b"br")))),
    Kind("a status line that is none", garbled(lambda framed: b"SSH-2.0-OpenSSH_9.2\r\n" + framed)),
    Kind("200 headers", garbled(head(lambda found: found + b"".join(b"\r\nX-%d: x" % n for n in range(200))))),
    Kind("a header of 1 MB", garbled(head(lambda found: found + b"\r\nX-Long: " + b"x" * 1_000_000))),
    Kind("a bomb of gzip", respond(200, BOMB, {"Content-Encoding": "gzip"}), REFUSED),
    Kind("chunks of a byte", garbled(as_chunks), TOLERATED),
    Kind("no length, hung up at the end", garbled(without_length), TOLERATED),
    Kind("hung up after the answer", garbled(lambda framed: framed), TOLERATED),
    Kind("five times 100 before", garbled(lambda framed: b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + framed), TOLERATED),
    Kind("103 before", garbled(lambda framed: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + framed), TOLERATED),
    Kind("no answer", faults.slow(timedelta(minutes=1)), slow=True),
    Kind("a dripping head", garbled(lambda framed: framed, pause=SHORT / 8), slow=True),
    Kind("a dripping body", faults.dripping(SHORT / 2), slow=True),
)
KINDS = (*ANSWERS, *LINE)
