"""Progress of runs on stderr: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from contacts_sync.cli.output import is_quiet, note
from contacts_sync.model import Run, RunStatus

LINE_EVERY = timedelta(seconds=2)

Show = Callable[[Collection[Run]], None]


@contextmanager
def progress(total: int, *, quiet: bool) -> Iterator[Show]:
    """Gives a function that shows runs as they are now, for as long as the block lasts."""
    if quiet or is_quiet():
        yield _nothing
    elif sys.stderr.isatty():
        with _bar(total) as show:
            yield show
    else:
        yield _lines(total)


@contextmanager
def advancing(doing: str) -> Iterator[Callable[[int, int], object]]:
    """Gives a function to be told how many of how many are done: a bar on a terminal, nothing elsewhere."""
    if is_quiet() or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _nothing(_current: Collection[Run]) -> None:
    """Results alone are wanted."""


@contextmanager
def _bar(total: int) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("syncing", total=total)
        yield lambda current: bar.update(task, completed=_ended(current), description=_doing(current))


def _lines(total: int) -> Show:
    said = ""
    quiet_until = 0.0

    def show(current: Collection[Run]) -> None:
        nonlocal said, quiet_until
        line = f"{_ended(current)} of {total} done, {_doing(current)}"
        if line != said and time.monotonic() >= quiet_until:
            note(line)
            said, quiet_until = line, time.monotonic() + LINE_EVERY.total_seconds()

    return show


def _ended(current: Collection[Run]) -> int:
    return sum(run.status.ended for run in current)


def _doing(current: Collection[Run]) -> str:
    running = sum(run.status is RunStatus.RUNNING for run in current)
    written = sum(run.counters.contacts_imported + run.counters.contacts_updated for run in current)
    return f"{running} running, {written} contacts written"
