"""What the daemon tells about itself: written by its loop and its workers, read by whoever watches it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from contacts_sync.model import Outcome


class Pulse:
    """Plain facts, each written by one thread. `on_run` and `on_turn` are for whoever wants to count."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._turned_at = monotonic()
        self.reconciled = False  # the schedules of the store are in the scheduler
        self.stopping = False
        self.store_trouble: str | None = None
        self.busy = 0
        self.workers = 0
        self.taken_back = 0  # runs, from workers that had fallen silent
        self.deliveries = {True: 0, False: 0}  # attempts to deliver an alert, by whether they went well
        self.pings: Counter[str] = Counter()  # to the dead man's switch: delivered, failed
        self.hooks: Counter[str] = Counter()  # by how they ended, and what was dropped
        self.on_run: Callable[[Outcome], None] = _nobody_listens
        self.on_turn: Callable[[float], None] = _nobody_listens

    def turned(self, seconds: float) -> None:
        """The loop has come round; it was busy, and deaf to everything else, for that long."""
        self._turned_at = self._monotonic()
        self.on_turn(seconds)

    def ran(self, outcome: Outcome) -> None:
        """A worker has finished with a run."""
        self.on_run(outcome)

    def delivered(self, well: bool) -> None:  # noqa: FBT001  (told by position, like an event)
        """An alert was tried to be delivered."""
        self.deliveries[well] += 1

    @property
    def still_for(self) -> float:
        """Seconds since the loop last came round."""
        return self._monotonic() - self._turned_at


def _nobody_listens(_what: object) -> None:
    pass
