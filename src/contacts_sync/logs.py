"""The voice: structured logs on stderr, pretty on a terminal and JSON lines elsewhere. Secrets never get through."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from contacts_sync.redaction import HIDDEN, clean, clean_lines, redacted, remember, traceback_text


@contextmanager
def _without(library: str) -> Iterator[None]:
    """As if the library weren't installed."""
    present = library in sys.modules
    sys.modules.setdefault(library, None)  # type: ignore[arg-type]  # None is how Python is told so
    try:
        yield
    finally:
        if not present:
            del sys.modules[library]


with _without("rich"):  # structlog would load it for tracebacks that are never drawn: a tenth of a second, 5 MB
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = [
    "HIDDEN",
    "bound",
    "clean",
    "clean_lines",
    "configure",
    "get_logger",
    "redacted",
    "remember",
    "set_level",
    "traceback_text",
]

get_logger = partial(structlog.get_logger, "contacts_sync")  # nameless, each event looks through the stack for one
bound = structlog.contextvars.bound_contextvars

TALKATIVE = (
    "requests_oauthlib",
    "oauthlib",
    "urllib3",
    "apscheduler",
    "alembic",
)  # print tokens or noise below WARNING
JSON = json.JSONEncoder(sort_keys=True)  # for what `_redact` leaves, which is plain
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))  # syslog's


def configure(*, level: str, format: str, stream: TextIO) -> None:  # noqa: A002  (the configuration's word)
    """Send all logs, the libraries' too, to `stream`: `console`, `json`, or `auto` (console on a terminal).

    Lines that go to systemd's journal say how grave they are: `journalctl -p warning` finds them (sd-daemon(3)).
    """
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    pretty = format == "console" or (format == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(serializer=_as_json)
    )
    _go_through_logging()
    handler = logging.StreamHandler(stream)
    formatter = _WithPriority if _is_journal(stream) and not pretty else structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(
            foreign_pre_chain=SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)


def _as_json(event: EventDict, **_: object) -> str:
    return JSON.encode(event)


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


def _go_through_logging() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> MutableMapping[str, Any]:
    return {key: _redacted_value(value, keep_lines=key == "exception") for key, value in event.items()}


def _redacted_value(value: Any, *, keep_lines: bool) -> Any:
    if isinstance(value, str):
        return clean_lines(redacted(value)) if keep_lines else clean(redacted(value))
    if isinstance(value, list | tuple):
        return [_redacted_value(item, keep_lines=keep_lines) for item in value]
    if isinstance(value, dict):
        return {key: _redacted_value(item, keep_lines=keep_lines) for key, item in value.items()}
    return (
        value if isinstance(value, bool | int | float | None) else _redacted_value(repr(value), keep_lines=keep_lines)
    )


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _redact,
]
_go_through_logging()  # which a command that says nothing has told to be silent, whether or not it has loaded this
