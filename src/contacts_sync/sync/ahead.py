"""Reading the next page while the one before it is being written: a database and Python can work side by side."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from contacts_sync.beside import promised
from contacts_sync.model import Page


@dataclass(frozen=True, slots=True)
class Reading:
    """A page, and the words of its people by resource name, where they were cut ahead."""

    page: Page
    words: Mapping[str, str] = field(default_factory=dict)


class ReadAhead:
    """At most one page of one run at a time in a process: more would only fill its memory."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def begin(self, fetch: Callable[[], Reading]) -> Future[Reading] | None:
        """The page to come, or why it doesn't; None while another run reads ahead, or nobody can."""
        if not self._turn.acquire(blocking=False):
            return None
        context = contextvars.copy_context()  # what the log says belongs to this run
        coming = promised("ahead", lambda: context.run(self._fetch, fetch))
        if coming is None:  # then the page is read when it is wanted
            self._turn.release()
        return coming

    def _fetch(self, fetch: Callable[[], Reading]) -> Reading:
        try:
            return fetch()
        finally:
            self._turn.release()
