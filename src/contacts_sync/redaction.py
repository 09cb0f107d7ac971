"""What may be seen of a text: no secrets, and nothing that steers a terminal."""

from __future__ import annotations

import re
import threading
import traceback

HIDDEN = "[hidden]"
SHORTEST_SECRET = 8
MOST_KNOWN = 1024  # four each for 256 workers

_known: dict[str, None] = {}  # of users: the ones seen last, the oldest first
_lasting: set[str] = set()  # of the operator
_lengths: set[int] = set()  # of secrets that were ever known
_remembering = threading.Lock()

_SHAPES = re.compile(
    r"""ya29\.[\w.-]+ | 1//[\w-]{10,} | 4/0A[\w-]{10,} | GOCSPX-[\w-]+ | gAAAA[\w=-]{20,}
      | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
      | (?P<keep>\b(?:Bearer\ |bearer\ |(?:code|token|access_token|refresh_token|client_secret|code_verifier)=))
        [^\s&"']+""",
    re.VERBOSE,
)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_INVISIBLE = re.compile(  # but not the joiners, which Persian and emoji are written with
    r"[\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def remember(secret: str, *, lasting: bool = False) -> None:
    """From now on this value is hidden wherever it turns up, whatever it looks like. `lasting`: however many follow."""
    if len(secret) < SHORTEST_SECRET or secret in _known:
        return
    with _remembering:
        _lengths.add(len(secret))
        if lasting:
            _lasting.add(secret)
            return
        _known[secret] = None
        if len(_known) > MOST_KNOWN:
            del _known[next(iter(_known))]


def redacted(text: str) -> str:
    """The text without anything that is, or looks like, a secret."""
    if len(text) >= min(_lengths, default=0):  # most of what is logged is shorter than any token
        with _remembering:
            secrets = sorted((*_lasting, *_known), key=len, reverse=True)  # one may begin like another
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
    return _SHAPES.sub(lambda found: (found["keep"] or "") + HIDDEN, text)


def clean(text: str) -> str:
    """The text without what could steer a terminal or deceive its reader: escape sequences, control, bidirectional
    and invisible characters, lone surrogates.
    """
    return text if text.isprintable() else _CONTROLS.sub(" ", _INVISIBLE.sub("", _ESCAPES.sub("", text)))


def clean_lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(map(clean, text.split("\n")))


def traceback_text(error: BaseException) -> str:
    """A traceback to keep with a run: redacted, and never with local variables."""
    return redacted("".join(traceback.format_exception(error)))
