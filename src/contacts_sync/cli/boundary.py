"""The one place where errors are printed: known, interrupted, bug."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence

import click

from contacts_sync.errors import ConfigurationError, ContactsSyncError, InvalidUsage

INTERRUPTED = 130


def run(root: click.Command, words: Sequence[str]) -> int:
    """Carry out a command line; the answer is the exit code."""
    try:
        code = root.main(list(words), prog_name="contacts-sync", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens: nothing more to flush
        return 0
    except click.ClickException as error:
        return _tell(_usage(error), words, error)
    except ContactsSyncError as error:
        return _tell(error, words, error)
    except Exception as error:  # noqa: BLE001  (the outermost boundary: a bug becomes one line and exit code 1)
        bug = ContactsSyncError(
            f"unexpected {type(error).__name__}: {error}",
            hint="please report this; --log-level debug before the command shows where it happened",
        )
        return _tell(bug, words, error)
    return code if isinstance(code, int) else 0


def _usage(error: click.ClickException) -> ContactsSyncError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "contacts-sync"
    return InvalidUsage(error.format_message(), hint=f"{path} --help")


def _tell(error: ContactsSyncError, words: Sequence[str], cause: Exception) -> int:
    if "--json" in words:
        click.echo(json.dumps({"error": document(error)}))
    if "debug" in words:
        click.echo(_redacted_traceback(cause), err=True)
    click.echo(line(error), err=True)
    return error.exit_code


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
    from contacts_sync.logs import clean

    separate = isinstance(error, ConfigurationError)
    texts = error.message.splitlines() if separate else [" ".join(error.message.split())]
    told = [f"error: {clean(_redacted(text))}" for text in texts]
    if error.hint:
        told[-1] += f" (next: {clean(_redacted(error.hint))})"
    return "\n".join(told)


def _redacted(text: str) -> str:
    from contacts_sync.logs import redacted

    return redacted(text)


def _redacted_traceback(error: Exception) -> str:
    return _redacted("".join(traceback.format_exception(error)))
