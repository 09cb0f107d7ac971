"""A wall clock that a test sets while real processes run. Monotonic time goes on, as through a step or a suspend.

Of all ways to lie about the time this one needs neither root nor a library from elsewhere (a time namespace moves
only monotonic time): a page of memory, shared with the process, says by how much its wall clock is off, and every
reading of the clock by Python or by a library of it looks there.
"""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

NANOSECONDS = struct.Struct("q")
MICROSECOND = timedelta(microseconds=1)


class WallClock:
    """By how much the clock of some processes is ahead of the machine's. They get it by its `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(bytes(NANOSECONDS.size))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), NANOSECONDS.size)

    @property
    def ahead(self) -> timedelta:
        return self.nanoseconds // 1000 * MICROSECOND

    @property
    def nanoseconds(self) -> int:
        return int(NANOSECONDS.unpack(self._page[:])[0])

    @property
    def now(self) -> datetime:
        """What it says."""
        return datetime.now(UTC) + self.ahead

    def step(self, by: timedelta) -> None:
        """Set it forward or back, all at once."""
        self._page[:] = NANOSECONDS.pack(self.nanoseconds + by // MICROSECOND * 1000)

    def set_to(self, instant: datetime) -> None:
        self.step(instant - self.now)


def go_by(clock: WallClock) -> None:
    """Let this process, from now on, take the time from `clock`."""
    traveller = time_machine.travel(timedelta(0)).start()
    real = time_machine.escape_hatch.time
    traveller.time_ns = lambda: real.time_ns() + clock.nanoseconds  # type: ignore[method-assign]  # read anew each time
