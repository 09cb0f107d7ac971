"""Reading the next page while the one before it is being written: a database and Python can work side by side."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future

from contacts_sync.model import Page


class ReadAhead:
    """At most one page of one run at a time in a process: more would only fill its memory."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def begin(self, fetch: Callable[[], Page]) -> Future[Page] | None:
        """The page to come, or why it doesn't; None while another run reads ahead."""
        if not self._turn.acquire(blocking=False):
            return None
        coming: Future[Page] = Future()
        context = contextvars.copy_context()  # what the log says belongs to this run
        threading.Thread(target=context.run, args=(self._fetch, fetch, coming), name="ahead", daemon=True).start()
        return coming

    def _fetch(self, fetch: Callable[[], Page], coming: Future[Page]) -> None:
        try:
            page = fetch()
        except BaseException as trouble:  # noqa: BLE001  (whose page it is raises it)
            self._turn.release()
            coming.set_exception(trouble)
        else:
            self._turn.release()
            coming.set_result(page)
