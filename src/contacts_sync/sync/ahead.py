"""Reading the next page while the one before it is being written: a database and Python can work side by side."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

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
        coming: Future[Reading] = Future()
        context = contextvars.copy_context()  # what the log says belongs to this run
        reader = threading.Thread(target=context.run, args=(self._fetch, fetch, coming), name="ahead", daemon=True)
        try:
            reader.start()
        except RuntimeError:  # the system gives no more threads: then the page is read when it is wanted
            self._turn.release()
            return None
        return coming

    def _fetch(self, fetch: Callable[[], Reading], coming: Future[Reading]) -> None:
        try:
            reading = fetch()
        except BaseException as trouble:  # noqa: BLE001  (whose page it is raises it)
            self._turn.release()
            coming.set_exception(trouble)
        else:
            self._turn.release()
            coming.set_result(reading)
