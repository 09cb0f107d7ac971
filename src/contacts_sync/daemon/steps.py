"""Noticing that the wall clock was set, or that the host slept: monotonic time tells nothing of either."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

STEP = timedelta(seconds=30)  # less is none: whoever waits for a time comes round by himself


class Steps:
    """How far the wall clock has gone ahead of monotonic time since it was last asked."""

    def __init__(self, now: datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ahead = self._seconds_ahead(now)

    def latest(self, now: datetime) -> timedelta:
        """By how much the clock was set since the last step, negative if it was set back; nothing if it wasn't."""
        step = timedelta(seconds=self._seconds_ahead(now) - self._ahead)
        if abs(step) < STEP:
            return timedelta(0)
        self._ahead += step.total_seconds()
        return step

    def _seconds_ahead(self, now: datetime) -> float:
        return now.timestamp() - self._monotonic()
