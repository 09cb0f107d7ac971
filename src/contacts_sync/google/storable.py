"""JSON as received -> JSON that every store and every reader can hold. Pure, and cheap where nothing is wrong."""

from __future__ import annotations

import json
import math
import re

REPLACEMENT = rb"\ufffd"
UNSTORABLE = (rb"\u0000", rb"\ud", rb"\uD")
ESCAPE = re.compile(  # good: a surrogate pair, or any other escape; else U+0000 or a lone surrogate
    rb"(?P<good>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)"
)
MOST_DIGITS = 300  # what a float, and so any JSON reader, can still tell from infinity
FOLDED = bytes.maketrans(b".123456789E+", b"0000000000e0")
LONG_EXPONENT = b"0e000"
BEFORE_NUMBERS = (b":", b",", b"[")


def storable(body: bytes) -> bytes:
    """Replace what no store can hold: bytes that are no UTF-8, U+0000 and lone surrogates become U+FFFD.

    Raises `ValueError` for a number that readers of JSON choke on.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    if b"\\" in body and b"\\u" in body and any(sign in body for sign in UNSTORABLE):
        body = ESCAPE.sub(lambda found: found[0] if found["good"] or found["other"] else REPLACEMENT, body)
    if _may_have_an_oversized_number(body):
        json.loads(body, parse_int=_number, parse_float=_number)
    return body


def _may_have_an_oversized_number(body: bytes) -> bool:
    """A quick look that tells nearly all pages from suspicious ones: text can look like a number, too."""
    folded = body.translate(FOLDED)
    before = folded.split(LONG_EXPONENT)[:-1]
    return b"0" * MOST_DIGITS in folded or any(
        part.rstrip(b"0").rstrip(b"- \t\r\n").endswith(BEFORE_NUMBERS) for part in before
    )


def _number(text: str) -> float:
    if len(text) > MOST_DIGITS or not math.isfinite(float(text)):
        raise ValueError("a number out of range")
    return float(text)
