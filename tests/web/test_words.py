from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts_sync.health import words
from contacts_sync.health.load import Minute
from contacts_sync.health.past import Bar
from contacts_sync.web import charts

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %"), (0.29, "29 %")]
)
def test_a_share_is_rounded_down(value: float, expected: str) -> None:
    assert words.share(value) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, "a few seconds"),
        (1, "1 minute"),
        (59, "59 minutes"),
        (60, "1 hour"),
        (26 * 60, "26 hours"),
        (2880, "2 days"),
    ],
)
def test_a_length_of_time_is_told_roughly(minutes: int, expected: str) -> None:
    assert words.span_of(timedelta(minutes=minutes)) == expected
    assert words.ago(NOW - timedelta(minutes=minutes), NOW) == f"{expected} ago"
    assert words.ago(None, NOW) == "never"


@pytest.mark.parametrize(("value", "expected"), [(None, "-"), (0.24, "240 ms"), (3.21, "3.2 s"), (240, "4 min")])
def test_durations_are_short(value: float | None, expected: str) -> None:
    assert words.seconds(value) == expected


def bar(number: int, succeeded: int, failed: int) -> Bar:
    start = NOW + number * HOUR
    return Bar(start, start + HOUR, succeeded, failed, 0, 1.0 if succeeded else None, 4.0 if succeeded else None)


def test_bars_stand_on_the_floor_side_by_side_and_none_is_higher_than_the_chart() -> None:
    chart = charts.of_runs([bar(0, 90, 10), bar(1, 1, 0), bar(2, 0, 0)])
    first, second, third = chart.columns
    assert [stroke.kind for stroke in first.strokes] == ["ok", "bad"]
    assert first.strokes[0].y + first.strokes[0].height == charts.HEIGHT
    assert first.strokes[1].y + first.strokes[1].height == pytest.approx(first.strokes[0].y)
    assert first.strokes[1].y >= 0
    assert first.x + first.width <= second.x + 0.01
    assert second.strokes[0].height >= charts.SHORTEST
    assert third.strokes == ()
    assert (chart.top, chart.summary) == ("100", "101 runs, 10 of them failed")


def test_durations_show_the_median_and_a_mark_for_the_slow_ones() -> None:
    chart = charts.of_durations([bar(0, 5, 0), bar(1, 0, 0)])
    kinds = [stroke.kind for column in chart.columns for stroke in column.strokes]
    assert kinds == ["calm", "slow"]
    assert chart.summary == "95 % of the runs took at most 4.0 s"


def test_nothing_is_told_as_nothing() -> None:
    for chart in (charts.of_runs([bar(0, 0, 0)]), charts.of_durations([]), charts.of_load([Minute(NOW, 0)])):
        assert chart.top == ""
        assert "no runs" in chart.summary
