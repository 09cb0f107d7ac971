"""What may be seen of a text: no secrets, and nothing that steers a terminal."""

from __future__ import annotations

import re
import traceback
from collections import deque

HIDDEN = "[hidden]"
SHORTEST_SECRET = 8

_known: deque[str] = deque(maxlen=1024)  # four each for 256 workers: the old pair of tokens and the fresh one
_lengths: set[int] = set()  # of secrets that were ever known

_SHAPES = re.compile(
    r"""ya29\.[\w.-]+ | 1//[\w-]{10,} | 4/0A[\w-]{10,} | GOCSPX-[\w-]+ | gAAAA[\w=-]{20,}
      | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
      | (?P<keep>\b(?:Bearer\ |bearer\ |(?:code|token|access_token|refresh_token|client_secret|code_verifier)=))
        [^\s&"']+""",
    re.VERBOSE,
)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def remember(secret: str) -> None:
    """From now on this value is hidden wherever it turns up, whatever it looks like."""
    if len(secret) >= SHORTEST_SECRET and secret not in _known:
        _known.append(secret)
        _lengths.add(len(secret))


def redacted(text: str) -> str:
    """The text without anything that is, or looks like, a secret."""
    if len(text) >= min(_lengths, default=0):  # most of what is logged is shorter than any token
        for secret in tuple(_known):
            text = text.replace(secret, HIDDEN)
    return _SHAPES.sub(lambda found: (found["keep"] or "") + HIDDEN, text)


def clean(text: str) -> str:
    """The text without what could steer a terminal: escape sequences, control and bidirectional characters."""
    return text if text.isprintable() else _CONTROLS.sub(" ", _ESCAPES.sub("", text))


def traceback_text(error: BaseException) -> str:
    """A traceback to keep with a run: redacted, and never with local variables."""
    return redacted("".join(traceback.format_exception(error)))
