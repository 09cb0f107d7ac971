"""The voice: structured logs on stderr, pretty on a terminal and JSON lines elsewhere. Secrets never get through."""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
TALKATIVE = (
    "requests_oauthlib",
    "oauthlib",
    "urllib3",
    "apscheduler",
    "alembic",
)  # print tokens or noise below WARNING
SHORTEST_SECRET = 8
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))  # syslog's

_known: deque[str] = deque(maxlen=256)  # of users: the ones that were used last
_lasting: set[str] = set()  # of the operator

_SHAPES = re.compile(
    r"""ya29\.[\w.-]+ | 1//[\w-]{10,} | 4/0A[\w-]{10,} | GOCSPX-[\w-]+ | gAAAA[\w=-]{20,}
      | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
      | (?P<keep>\b(?:Bearer\ |bearer\ |(?:code|token|access_token|refresh_token|client_secret|code_verifier)=))
        [^\s&"']+""",
    re.VERBOSE,
)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def configure(*, level: str, format: str, stream: TextIO) -> None:  # noqa: A002  (the configuration's word)
    """Send all logs, the libraries' too, to `stream`: `console`, `json`, or `auto` (console on a terminal).

    Lines that go to systemd's journal say how grave they are: `journalctl -p warning` finds them (sd-daemon(3)).
    """
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    pretty = format == "console" or (format == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(sort_keys=True)
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    formatter = _WithPriority if _is_journal(stream) and not pretty else structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)


class _WithPriority(structlog.stdlib.ProcessorFormatter):
    """Puts syslog's priority before the line, where the journal looks for it."""

    def format(self, record: logging.LogRecord) -> str:
        """As usual, behind `<3>` for an error and the like."""
        priority = next(number for level, number in PRIORITIES if record.levelno >= level)
        return f"<{priority}>{super().format(record)}"


def _is_journal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """True if this very stream goes to the journal: systemd.exec(5), $JOURNAL_STREAM."""
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}"


def set_level(level: str) -> None:
    """Say more or less from now on."""
    logging.getLogger().setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # a lost connection is told by who needed it


def remember(secret: str, *, lasting: bool = False) -> None:
    """From now on this value is hidden wherever it turns up, whatever it looks like. `lasting`: however many follow."""
    if len(secret) < SHORTEST_SECRET or secret in _known:
        return
    if lasting:
        _lasting.add(secret)
    else:
        _known.append(secret)


def redacted(text: str) -> str:
    """The text without anything that is, or looks like, a secret."""
    for secret in (*_lasting, *_known):
        text = text.replace(secret, HIDDEN)
    return _SHAPES.sub(lambda found: (found["keep"] or "") + HIDDEN, text)


def clean(text: str) -> str:
    """The text without what could steer a terminal: escape sequences, control and bidirectional characters."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text))


def traceback_text(error: BaseException) -> str:
    """A traceback to keep with a run: redacted, and never with local variables."""
    return redacted("".join(traceback.format_exception(error)))


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> MutableMapping[str, Any]:
    return {key: _redacted_value(value, keep_lines=key == "exception") for key, value in event.items()}


def _redacted_value(value: Any, *, keep_lines: bool) -> Any:
    if isinstance(value, str):
        return redacted(value) if keep_lines else clean(redacted(value))
    if isinstance(value, list | tuple):
        return [_redacted_value(item, keep_lines=keep_lines) for item in value]
    if isinstance(value, dict):
        return {key: _redacted_value(item, keep_lines=keep_lines) for key, item in value.items()}
    return (
        value if isinstance(value, bool | int | float | None) else _redacted_value(repr(value), keep_lines=keep_lines)
    )
