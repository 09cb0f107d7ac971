"""JSON as received -> JSON that every store and every reader can hold. Pure, and cheap where nothing is wrong."""

from __future__ import annotations

import codecs
import json
import math
import re

REPLACEMENT = rb"\ufffd"
# The backslash alone is what Python's search jumps to: with the letter behind it, it would step through all bytes.
UNSTORABLE = re.compile(rb"\\(?=u(?:0000|[dD][89a-fA-F]))")  # or a part of a pair, or behind another backslash
ESCAPE = re.compile(  # good: a surrogate pair, or any other escape; else U+0000 or a lone surrogate
    rb"(?P<good>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)"
)
MOST_DIGITS = 300  # what a float, and so any JSON reader, can still tell from infinity
FOLDED = bytes.maketrans(b".123456789E+", b"0000000000e0")
LONG_EXPONENT = b"0e000"
WINDOW, OVERLAP = 256 * 1024, 2 * MOST_DIGITS
BEFORE_NUMBERS = (b":", b",", b"[")


def storable(body: bytes) -> bytes:
    """Replace what no store can hold: bytes that are no UTF-8, U+0000 and lone surrogates become U+FFFD.

    Raises `ValueError` for a number that readers of JSON choke on.
    """
    if not _is_utf8(body):
        body = body.decode(errors="replace").encode()
    if UNSTORABLE.search(body):
        body = ESCAPE.sub(lambda found: found[0] if found["good"] or found["other"] else REPLACEMENT, body)
    if _may_have_an_oversized_number(body):
        json.loads(body, parse_int=_number, parse_float=_number)
    return body


def _is_utf8(body: bytes) -> bool:
    """Looked at in windows, as below: in one piece, the text of a page would need twice the memory of its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), WINDOW):
            decoder.decode(body[start : start + WINDOW], final=start + WINDOW >= len(body))
    except UnicodeDecodeError:
        return False
    return True


def _may_have_an_oversized_number(body: bytes) -> bool:
    """A quick look that tells nearly all pages from suspicious ones: text can look like a number, too."""
    starts = range(0, len(body), WINDOW)
    return any(_is_suspicious(body[max(0, start - OVERLAP) : start + WINDOW].translate(FOLDED)) for start in starts)


def _is_suspicious(folded: bytes) -> bool:
    """True for a number that is long, or has a long exponent; and for what began before this window."""
    if b"0" * MOST_DIGITS in folded:
        return True
    before = [part.rstrip(b"0").rstrip(b"- \t\r\n") for part in folded.split(LONG_EXPONENT)[:-1]]
    return any(part.endswith(BEFORE_NUMBERS) for part in before) or before[:1] == [b""]


def _number(text: str) -> float:
    if len(text) > MOST_DIGITS or not math.isfinite(float(text)):
        raise ValueError("a number out of range")
    return float(text)
