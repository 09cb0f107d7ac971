from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.health.past import Span, bars, quantile
from contacts_sync.model import RunStatus
from contacts_sync.store.workload import DURATIONS, Ended
from tests.health.given import HOUR, NOW


@pytest.mark.parametrize(("span", "count"), [(Span.DAY, 24), (Span.WEEK, 28)])
def test_bars_cover_the_span_and_the_last_one_is_now(span: Span, count: int) -> None:
    now = NOW + timedelta(minutes=17)
    found = bars([], span, now)
    assert len(found) == count
    assert found[-1].start <= now < found[-1].end
    assert all(one.end == two.start for one, two in itertools.pairwise(found))
    assert found[0].start == span.start(now)


def test_each_run_is_in_the_bar_of_its_hour_by_outcome() -> None:
    ended = [
        Ended(NOW, RunStatus.SUCCEEDED, 2, 5),
        Ended(NOW, RunStatus.FAILED, 4, 1),
        Ended(NOW - HOUR, RunStatus.CANCELLED, 0, 2),
        Ended(NOW - 40 * HOUR, RunStatus.SUCCEEDED, 0, 99),
    ]
    *_, before, current = bars(ended, Span.DAY, NOW)
    assert (current.succeeded, current.failed, current.runs) == (5, 1, 6)
    assert (before.cancelled, before.median) == (2, None)
    assert sum(one.runs for one in bars(ended, Span.WEEK, NOW)) == 107


@given(st.dictionaries(st.integers(0, len(DURATIONS)), st.integers(1, 99), min_size=1))
def test_a_quantile_lies_in_the_class_that_holds_it(classes: dict[int, int]) -> None:
    counted = Counter(classes)
    median, slow = quantile(counted, 0.5), quantile(counted, 0.95)
    assert median is not None
    assert slow is not None
    assert 0 < median <= slow <= DURATIONS[-1]
    assert sum(runs for n, runs in classes.items() if n < len(DURATIONS) and DURATIONS[n] <= median) <= counted.total()
