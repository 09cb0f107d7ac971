"""Progress of runs: a live line on a terminal, nothing elsewhere (the results are told at the end)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from contacts_sync.model import Run, RunStatus


class Progress:
    """Shows how far a number of runs have come, while its block lasts."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._live = None
        if sys.stderr.isatty() and not quiet:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                SpinnerColumn,
                TextColumn,
                TimeElapsedColumn,
            )

            self._live = Progress(
                SpinnerColumn(),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._live.add_task("syncing", total=total)

    def show(self, current: Sequence[Run]) -> None:
        """The runs as they are now."""
        if self._live is None:
            return
        ended = sum(run.status.ended for run in current)
        running = sum(run.status is RunStatus.RUNNING for run in current)
        contacts = sum(run.counters.contacts_imported + run.counters.contacts_updated for run in current)
        self._live.update(self._task, completed=ended, description=f"{running} running, {contacts} contacts written")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
