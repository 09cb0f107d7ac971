"""Work that goes on beside everything else: in a thread of its own, for as long as a block lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta


@contextmanager
def beside(name: str, work: Callable[[threading.Event], object], *, stop_within: timedelta) -> Iterator[None]:
    """Call `work` in a thread. When the block ends, its event is set, and the thread is waited for so long.

    The thread is daemonic: one that hangs can't keep the process from exiting.
    """
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(stop_within.total_seconds())
