"""Reading the next page while the one before it is being written: a database and Python can work side by side."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from contacts_sync.beside import promised
from contacts_sync.model import Page
from contacts_sync.store.contacts import Ready


@dataclass(frozen=True, slots=True)
class Reading:
    """A page; and, made ready to be written, what it changes if nobody on it is known yet, as in a first listing."""

    page: Page
    ready: Ready | None = None


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
