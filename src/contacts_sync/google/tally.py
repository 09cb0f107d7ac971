"""What this process has asked of Google since it started: counts for whoever watches."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

MINUTE_SECONDS = 60


class Tally:
    """Counts from many threads. `answers` by HTTP status, 0 for no whole answer; `refreshes` by success."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._by_second: Counter[int] = Counter()
        self.answers: Counter[int] = Counter()
        self.refreshes: Counter[bool] = Counter()
        self.waits = 0
        self.waited_seconds = 0.0

    def asked(self, status: int) -> None:
        """A request was answered, or (0) was not."""
        second = int(self._monotonic())
        with self._lock:
            self.answers[status] += 1
            if second not in self._by_second:
                self._forget_before(second - MINUTE_SECONDS)
            self._by_second[second] += 1

    def _forget_before(self, last: int) -> None:
        for old in [one for one in self._by_second if one <= last]:
            del self._by_second[old]

    def waited(self, seconds: float) -> None:
        """A request had to wait for its turn within the quota."""
        with self._lock:
            self.waits += 1
            self.waited_seconds += seconds

    def refreshed(self, *, well: bool) -> None:
        """An access token was asked for anew."""
        with self._lock:
            self.refreshes[well] += 1

    @property
    def last_minute(self) -> int:
        """How many requests were answered, or given up, within the last minute."""
        oldest = int(self._monotonic()) - MINUTE_SECONDS
        with self._lock:
            return sum(count for second, count in self._by_second.items() if second > oldest)
