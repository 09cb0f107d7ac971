"""An answer of Google's, and what a broken or malicious one in its place might look like: seeded, so that it can be had again."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

from contacts_sync.sandbox.answers import Answer, google_error, json_answer, oauth_error

GZIPPED = (("Content-Encoding", "gzip"),)
BOMB = gzip.compress(b'{"connections": [' + b" " * (80 * 1024 * 1024) + b"]}")  # 80 MB in 80 kB
WHOLE_BODY = "the whole body"


def mutated(answer: Answer, chance: random.Random) -> tuple[str, Answer]:
    """What was done to an answer, and the answer now."""
    if chance.random() < 0.15:
        answer = _error(chance)
    kind = chance.choice(KINDS)
    return kind.__name__.strip("_"), kind(answer, chance)


def _error(chance: random.Random) -> Answer:
    status = chance.choice((400, 401, 403, 404, 410, 429, 500, 503))
    reason = chance.choice(
        ("INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "\x1b[31m")
    )
    return chance.choice(
        (
            google_error(status, reason, f"trouble {chance.random()}"),
            oauth_error(chance.choice(("invalid_grant", "invalid_client", "server_error", "odd")), "x", status),
            json_answer({"error": [reason]}, status),
        )
    )


def _with(answer: Answer, body: bytes, *headers: tuple[str, str]) -> Answer:
    return Answer(answer.status, body, answer.content_type, (*answer.headers, *headers))


# -- its bytes


def _cut(answer: Answer, chance: random.Random) -> Answer:
    return _with(answer, answer.body[: chance.randrange(len(answer.body) + 1)])


def _flipped(answer: Answer, chance: random.Random) -> Answer:
    body = bytearray(answer.body or b"x")
    for _ in range(chance.choice((1, 1, 5, 50))):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return _with(answer, bytes(body))


def _inserted(answer: Answer, chance: random.Random) -> Answer:
    at = chance.randrange(len(answer.body) + 1)
    piece = chance.choice(
        (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"{", b"]", b",", b"//", b"\\u0000", b"\\ud800", b"NaN")
    )
    return _with(answer, answer.body[:at] + piece + answer.body[at:])


def _encoded(answer: Answer, chance: random.Random) -> Answer:
    text = answer.body.decode()
    encoding = chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7", "latin-1", "utf-16-be", "cp037"))
    return _with(answer, text.encode(encoding, "replace"))


def _gzipped(answer: Answer, chance: random.Random) -> Answer:
    whole = gzip.compress(answer.body)
    torn = whole[: chance.randrange(len(whole))]
    garbage = bytes(chance.randrange(256) for _ in range(200))
    body = chance.choice((torn, garbage, whole + garbage, whole + whole, gzip.compress(whole), answer.body, b""))
    return _with(answer, body, *GZIPPED)


def _huge(answer: Answer, chance: random.Random) -> Answer:
    filler = chance.choice((b" ", b"[", b'{"a":', b"9", b"\\u0000", b"\xff")) * chance.choice((100_000, 1_000_000))
    return _with(answer, chance.choice((answer.body[:-1] + b',"x":"' + filler + b'"}', filler + answer.body, filler)))


def _bomb(answer: Answer, chance: random.Random) -> Answer:
    return _with(answer, BOMB, *GZIPPED) if chance.random() < 0.2 else _huge(answer, chance)


def _mislabelled(answer: Answer, chance: random.Random) -> Answer:
    kind = chance.choice(("text/html", "", "application/octet-stream", "application/json; charset=utf-16", "\xe9"))
    status = chance.choice((200, 201, 204, 206, 302, 418, 599))
    return Answer(status, answer.body, kind, answer.headers)


def _doubled(answer: Answer, chance: random.Random) -> Answer:
    return _with(answer, answer.body + chance.choice((b"", b"\n", b",")) + answer.body)


# -- its meaning

VALUES: tuple[Callable[[], Any], ...] = (
    *(
        (lambda value=value: value)
        for value in (None, True, 0, -1, 1.5, 2**63, 2**64, 10**299, "", "x", [], {}, [None], {"": None})
    ),
    *(
        (lambda value=value: value)
        for value in ("\0", "\ud800", "\x1b]0;x\x07", "x" * 70_000, "é" * 10, "people/c1", "-1", "NaN")
    ),
    *((lambda value=value: value) for value in (float("nan"), float("inf"), -float("inf"), 1e308)),
    lambda: _nested(list, 40),
    lambda: _nested(dict, 300),
    lambda: ["x"] * 5_000,
    lambda: {f"k{n}": n for n in range(2_000)},
)


def _nested(kind: type, depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def _replaced(answer: Answer, chance: random.Random) -> Answer:
    """One to three values of another type, out of range, or gone."""
    try:
        whole = {WHOLE_BODY: json.loads(answer.body)}
    except ValueError:
        return _flipped(answer, chance)
    for _ in range(chance.choice((1, 1, 2, 3))):
        holder, key = chance.choice(_places(whole))
        if chance.random() < 0.2 and key != WHOLE_BODY:
            _remove(holder, key)
        else:
            holder[key] = chance.choice(VALUES)()
    return _with(answer, json.dumps(whole[WHOLE_BODY]).encode())


def _places(value: Any) -> list[tuple[Any, Any]]:
    found, todo = [], [value]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        todo += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return found


def _remove(holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder.pop(key, None)
    elif key < len(holder):
        holder.pop(key)


def _twice_the_same_key(answer: Answer, chance: random.Random) -> Answer:
    keys = (
        "connections",
        "nextSyncToken",
        "nextPageToken",
        "error",
        "access_token",
        "expires_in",
        "contactGroups",
        "scope",
    )
    value = json.dumps(chance.choice(VALUES[:22])())
    pair = f'"{chance.choice(keys)}": {value}'.encode()
    if chance.random() < 0.5:
        return _with(answer, answer.body[:-1] + b", " + pair + b"}")
    return _with(answer, b"{" + pair + b", " + answer.body[1:])


def _numbers(answer: Answer, chance: random.Random) -> Answer:
    number = chance.choice(
        (b"1" * 5_000, b"-" + b"9" * 4_301, b"1e999", b"1e-999", b"NaN", b"-Infinity", b"0x10", b"01", b"1.", b"+1")
    )
    return _with(answer, answer.body[:-1] + b', "metadata": ' + number + b', "expires_in": ' + number + b"}")


def _deep(answer: Answer, chance: random.Random) -> Answer:
    depth = chance.choice((50, 400, 900, 990, 1_100, 5_000, 200_000))
    start, end = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nested = start * depth + b"1" + end * (depth if chance.random() < 0.7 else 0)
    found = answer.body.find(b'"resourceName"')
    if found < 0:
        return _with(answer, answer.body[:-1] + b', "x": ' + nested + b"}")
    return _with(answer, answer.body[:found] + b'"x": ' + nested + b", " + answer.body[found:])


KINDS = (
    *(_cut, _flipped, _inserted, _encoded, _gzipped, _bomb, _huge, _mislabelled, _doubled),
    *(_replaced, _replaced, _replaced, _replaced, _twice_the_same_key, _numbers, _deep),
)
