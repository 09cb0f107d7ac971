"""Requests a minute: Google's quota is per user and minute, the operator's may be for all."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from contacts_sync.errors import Interrupted

WINDOW_SECONDS = 60.0


class Pacer:
    """Lets at most `per_user` requests of a user and `in_all` of everybody start in any minute; 0 is no limit."""

    def __init__(
        self,
        *,
        per_user: int,
        in_all: int,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
        tell_wait: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self._limits = {"user": per_user, "all": in_all}
        self._stop = stop
        self._monotonic = monotonic
        self._tell_wait = tell_wait
        self._lock = threading.Lock()
        self._started: dict[str, deque[float]] = {}

    def wait(self, user_id: str) -> None:
        """Return when this user's next request may start. Raises `Interrupted` if the process stops meanwhile."""
        for key, limit in ((f"user {user_id}", self._limits["user"]), ("all", self._limits["all"])):
            while limit and (seconds := self._take(key, limit)) > 0:
                self._tell_wait(seconds)
                if self._stop.wait(seconds):
                    raise Interrupted("the process is stopping")

    def _take(self, key: str, limit: int) -> float:
        """Take a place in the window and answer 0, or answer how many seconds to wait for one."""
        with self._lock:
            now = self._monotonic()
            started = self._started.setdefault(key, deque())
            while started and started[0] <= now - WINDOW_SECONDS:
                started.popleft()
            if len(started) >= limit:
                return started[0] + WINDOW_SECONDS - now
            started.append(now)
            self._forget_idle(now)
            return 0.0

    def _forget_idle(self, now: float) -> None:
        if len(self._started) > 10_000:
            self._started = {
                key: started for key, started in self._started.items() if started[-1] > now - WINDOW_SECONDS
            }
