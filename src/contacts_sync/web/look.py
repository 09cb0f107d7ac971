"""Looks at the store for the pages: few at a time, and no oftener than they are cheap. Syncing comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from contacts_sync.config import Config
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.errors import StoreUnavailable
from contacts_sync.health.almanac import Almanac
from contacts_sync.health.fleet import Fleet, survey, yardstick
from contacts_sync.health.past import Bar, Span, bars
from contacts_sync.store import workload
from contacts_sync.store.engine import Database, Transaction, read
from contacts_sync.store.health import Yardstick
from contacts_sync.sync.desk import Desk

T = TypeVar("T")

AT_ONCE = 3  # looks: the server's other threads stay free for who asks whether we live
PATIENCE = timedelta(seconds=5)
NEWEST = timedelta(seconds=1)
SHARE = 10  # a look that takes a second is good for ten


@dataclass(frozen=True, slots=True)
class Watched:
    """The daemon whose work is shown: its configuration as it holds now, its pulse, its desk."""

    config: Callable[[], Config]
    pulse: Pulse
    desk: Desk


class Remembered(Generic[T]):
    """The latest answer of an expensive question, asked again by one thread at a time, and seldom if it is slow."""

    def __init__(self, ask: Callable[[], T], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._asking = threading.Lock()
        self._known: tuple[T, float] | None = None  # an answer, and until when it is good

    def __call__(self) -> T:
        """The answer; an outdated one while another thread is asking. Raises what asking raises."""
        known = self._known
        if known is not None and (self._monotonic() < known[1] or self._asking.locked()):
            return known[0]
        if not self._asking.acquire(timeout=PATIENCE.total_seconds()):
            raise StoreUnavailable("the store takes too long to answer", hint="try again")
        try:
            if self._known is not None and self._monotonic() < self._known[1]:
                return self._known[0]
            return self._asked()
        finally:
            self._asking.release()

    def _asked(self) -> T:
        began = self._monotonic()
        answer = self._ask()
        ended = self._monotonic()
        self._known = answer, ended + max(NEWEST.total_seconds(), SHARE * (ended - began))
        return answer


class Lookout:
    """The store as the pages see it."""

    def __init__(self, db: Database, watched: Watched) -> None:
        self.watched = watched
        self._db = db
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._measures = threading.Lock()
        self._almanac = Almanac()
        self.fleet = Remembered(self._survey)
        self.bars = {span: Remembered(lambda span=span: self._bars(span)) for span in Span}  # type: ignore[misc]  # mypy can't infer a default's type in a lambda

    def now(self) -> datetime:
        """The daemon's clock."""
        return self.watched.desk.clock()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A look at the store, among few. Raises `StoreUnavailable`."""
        if not self._turns.acquire(timeout=PATIENCE.total_seconds()):
            raise StoreUnavailable("too many look at once", hint="try again")
        try:
            with read(self._db) as tx:
                yield tx
        finally:
            self._turns.release()

    def yardstick(self, tx: Transaction) -> Yardstick:
        """By what users are measured now."""
        config = self.watched.config()
        with self._measures:
            return yardstick(tx, self._almanac, config.health, config.schedule, self.now())[0]

    def _survey(self) -> Fleet:
        config = self.watched.config()
        with self.reading() as tx, self._measures:
            return survey(tx, self._almanac, config.health, config.schedule, self.now())

    def _bars(self, span: Span) -> list[Bar]:
        now = self.now()
        with self.reading() as tx:
            return bars(workload.ended_by_hour(tx, span.start(now)), span, now)
