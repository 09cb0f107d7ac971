"""Time as an argument: it passes only while somebody waits, or when the test says so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Aware UTC instants."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Waits(threading.Event):
    """The process's stop, on which the pauses between attempts wait: here they are written down and over at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        self.clock.now += timedelta(seconds=timeout or 0.0)
        return self.is_set()
