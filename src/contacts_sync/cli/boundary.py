"""The one place where errors are printed: known, interrupted, bug."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TextIO

import click

from contacts_sync.errors import ConfigurationError, ContactsSyncError, InvalidUsage

INTERRUPTED = 130
WRONG_USAGE = 2
NOBODY_LISTENS = 1  # without a word: `| head` has what it wanted


def run(root: click.Command, words: Sequence[str]) -> int:
    """Carry out a command line; the answer is the exit code."""
    _show_what_stdout_cannot()
    try:
        return _told(root, words)
    except BrokenPipeError:
        return NOBODY_LISTENS
    except SystemExit as end:  # click's: after a broken pipe, and after it has answered a shell's completion
        return end.code if isinstance(end.code, int) else NOBODY_LISTENS
    finally:
        _let_go_of(sys.stdout)
        _let_go_of(sys.stderr)


def _show_what_stdout_cannot() -> None:
    """A character that a terminal or pipe has no code for becomes an escape instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _let_go_of(stream: TextIO) -> None:
    """What can't be written now (a closed pipe, a full disk) must not fail the interpreter's exit as well."""
    try:
        stream.flush()
    except OSError:
        with suppress(io.UnsupportedOperation):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _told(root: click.Command, words: Sequence[str]) -> int:
    try:
        code = root.main(list(words), prog_name="contacts-sync", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(words)
    except click.exceptions.NoArgsIsHelpError as error:
        return _without_command(error, words)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (the outermost boundary: a bug becomes one line and exit code 1)
        return _tell(_as_ours(error), words, error)
    return code if isinstance(code, int) else 0


def _interrupted(words: Sequence[str]) -> int:
    if _wants_json(words):
        told = {"type": "Interrupted", "message": "interrupted", "hint": "", "exit_code": INTERRUPTED}
        click.echo(json.dumps({"error": told}))
    click.echo("interrupted", err=True)
    return INTERRUPTED


def _without_command(error: click.UsageError, words: Sequence[str]) -> int:
    """A command line that ends too early is answered with the help."""
    if _wants_json(words):
        return _tell(InvalidUsage("a command is missing", hint=_help_of(error)), words, error)
    click.echo(error.format_message(), err=True)
    return WRONG_USAGE


def _as_ours(error: Exception) -> ContactsSyncError:
    if isinstance(error, ContactsSyncError):
        return error
    if isinstance(error, click.ClickException):
        return InvalidUsage(error.format_message(), hint=_help_of(error))
    return _refused_by_the_system(error) if isinstance(error, OSError) else _bug(error)


def _help_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'contacts-sync'} --help"


def _refused_by_the_system(error: OSError) -> ContactsSyncError:
    where = f"{error.filename}: " if error.filename else ""
    return ContactsSyncError(
        f"{where}{error.strerror or error}", hint="check free space, owner and mode of what is named"
    )


def _bug(error: Exception) -> ContactsSyncError:
    return ContactsSyncError(
        f"unexpected {type(error).__name__}: {error}",
        hint="please report this; --log-level debug before the command shows where it happened",
    )


def _tell(error: ContactsSyncError, words: Sequence[str], cause: Exception) -> int:
    with suppress(OSError):  # where nobody listens, the exit code still speaks
        if _wants_json(words):
            click.echo(json.dumps({"error": document(error)}))
    if _wants_traceback(words):
        click.echo(_traceback(cause), err=True)
    click.echo(line(error), err=True)
    return error.exit_code


def _traceback(cause: Exception) -> str:
    from contacts_sync.redaction import clean_lines, traceback_text

    return clean_lines(traceback_text(cause))


def _wants_json(words: Sequence[str]) -> bool:
    return "--json" in _options(words)


def _wants_traceback(words: Sequence[str]) -> bool:
    options = _options(words)
    return "--log-level=debug" in options or ("--log-level", "debug") in pairwise(options)


def _options(words: Sequence[str]) -> Sequence[str]:
    """The words before a `--`: what follows are names, whatever they look like."""
    return words[: words.index("--")] if "--" in words else words


def document(error: ContactsSyncError) -> dict[str, object]:
    """An error as `--json` shows it."""
    return {
        "type": error.error_type,
        "message": _redacted(error.message),
        "hint": _redacted(error.hint),
        "exit_code": error.exit_code,
    }


def line(error: ContactsSyncError) -> str:
    """An error as one line that says what to do next; configuration problems are a line each."""
    from contacts_sync.redaction import clean

    separate = isinstance(error, ConfigurationError)
    texts = error.message.splitlines() if separate else [" ".join(error.message.split())]
    told = [f"error: {clean(_redacted(text))}" for text in texts]
    if error.hint:
        told[-1] += f" (next: {clean(_redacted(error.hint))})"
    return "\n".join(told)


def _redacted(text: str) -> str:
    from contacts_sync.redaction import redacted

    return redacted(text)
