"""Ended runs by the hour -> the bars of a chart. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from contacts_sync.model import RunStatus
from contacts_sync.store.workload import DURATIONS, Ended


class Span(Enum):
    """How far back a chart looks, and how much time a bar stands for."""

    DAY = timedelta(days=1), timedelta(hours=1)
    WEEK = timedelta(days=7), timedelta(hours=6)

    def start(self, now: datetime) -> datetime:
        """When the first bar begins: the last one, which now is in, is still growing."""
        reach, step = self.value
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        current = midnight + (now - midnight) // step * step
        return current + step - reach


@dataclass(frozen=True, slots=True)
class Bar:
    """What ended in a stretch of time; the median and the 95th percentile of how long it took, in seconds."""

    start: datetime
    end: datetime
    succeeded: int
    failed: int
    cancelled: int
    median: float | None
    slow: float | None

    @property
    def runs(self) -> int:
        """All of them."""
        return self.succeeded + self.failed + self.cancelled


def bars(ended: Iterable[Ended], span: Span, now: datetime) -> list[Bar]:
    """One bar for each stretch of the span, the empty ones too."""
    reach, step = span.value
    start = span.start(now)
    piles: list[list[Ended]] = [[] for _ in range(reach // step)]
    for one in ended:
        place = (one.hour - start) // step
        if 0 <= place < len(piles):
            piles[place].append(one)
    return [_bar(start + n * step, start + (n + 1) * step, pile) for n, pile in enumerate(piles)]


def _bar(start: datetime, end: datetime, pile: Sequence[Ended]) -> Bar:
    outcomes: Counter[RunStatus] = Counter()
    classes: Counter[int] = Counter()
    for one in pile:
        outcomes[one.status] += one.runs
        if one.status is not RunStatus.CANCELLED:
            classes[one.duration] += one.runs
    return Bar(
        start=start,
        end=end,
        succeeded=outcomes[RunStatus.SUCCEEDED],
        failed=outcomes[RunStatus.FAILED],
        cancelled=outcomes[RunStatus.CANCELLED],
        median=quantile(classes, 0.5),
        slow=quantile(classes, 0.95),
    )


def quantile(classes: Counter[int], share: float) -> float | None:
    """The duration that `share` of the runs stay below, as well as classes of durations tell; None without runs."""
    wanted = share * classes.total()
    below = 0
    for number, bound in enumerate(DURATIONS):
        inside = classes[number]
        if inside and below + inside >= wanted:
            lower = DURATIONS[number - 1] if number else 0.0
            return lower + (bound - lower) * (wanted - below) / inside
        below += inside
    return DURATIONS[-1] if classes.total() else None
