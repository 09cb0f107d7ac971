"""Work that goes on beside everything else: in a thread of its own, which can't keep the process from exiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

Result = TypeVar("Result")


@contextmanager
def beside(name: str, work: Callable[[threading.Event], object], *, stop_within: timedelta) -> Iterator[None]:
    """Call `work` in a thread. When the block ends, its event is set, and the thread is waited for so long."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(stop_within.total_seconds())


def promised(name: str, work: Callable[[], Result]) -> Future[Result] | None:
    """What `work` will give, or raise, in a thread; None where the system gives no more threads."""
    coming: Future[Result] = Future()
    try:
        threading.Thread(target=_fulfil, args=(coming, work), name=name, daemon=True).start()
    except RuntimeError:
        return None
    return coming


def _fulfil(coming: Future[Result], work: Callable[[], Result]) -> None:
    try:
        coming.set_result(work())
    except BaseException as trouble:  # noqa: BLE001  (whoever waits raises it)
        coming.set_exception(trouble)
