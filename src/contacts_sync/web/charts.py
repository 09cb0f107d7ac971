"""Where the strokes of a chart go: plain numbers for the templates to draw as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contacts_sync.health.load import Minute
from contacts_sync.health.past import Bar
from contacts_sync.health.words import number, seconds

WIDTH, HEIGHT = 720.0, 120.0
GAP = 0.22  # of a bar's width
LABELS = 6
NOTHING = "no runs"
SHORTEST = 1.5  # what isn't nothing is seen


@dataclass(frozen=True, slots=True)
class Stroke:
    """A rectangle of one kind, in units of the drawing."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """What stands above one stretch of time: its strokes, and what they say in words."""

    x: float
    width: float
    strokes: tuple[Stroke, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`top` is what the full height stands for; `labels` stand below at equal distances."""

    columns: tuple[Column, ...]
    top: str
    labels: tuple[str, ...]
    summary: str
    lines: tuple[tuple[str, str], ...] = ()  # kind, and the points of a polyline


def of_runs(bars: Sequence[Bar]) -> Chart:
    """Runs, stacked by outcome."""
    top = max((bar.runs for bar in bars), default=0)
    columns = [
        _column(
            place,
            len(bars),
            [("ok", bar.succeeded), ("bad", bar.failed), ("off", bar.cancelled)],
            top,
            f"{_span(bar)}: {number(bar.succeeded)} succeeded, {number(bar.failed)} failed"
            + (f", {number(bar.cancelled)} cancelled" if bar.cancelled else ""),
        )
        for place, bar in enumerate(bars)
    ]
    failed, runs = sum(bar.failed for bar in bars), sum(bar.runs for bar in bars)
    summary = f"{number(runs)} runs, {number(failed)} of them failed" if runs else NOTHING
    return Chart(tuple(columns), number(top) if top else "", _labels(bars), summary)


def of_durations(bars: Sequence[Bar]) -> Chart:
    """How long runs took: the median as a bar, the 95th percentile as a line above."""
    slowest = max((bar.slow for bar in bars if bar.slow is not None), default=0.0)
    columns = [
        _column(
            place,
            len(bars),
            [("calm", bar.median or 0.0)],
            slowest,
            f"{_span(bar)}: median {seconds(bar.median)}, 95 % within {seconds(bar.slow)}",
        )
        for place, bar in enumerate(bars)
    ]
    marks = [
        Stroke("slow", column.strokes[0].x, _y(bar.slow, slowest), column.strokes[0].width, 2.0)
        for column, bar in zip(columns, bars, strict=True)
        if bar.slow is not None and column.strokes
    ]
    drawn = [*columns, Column(0, 0, tuple(marks), "")]
    summary = f"95 % of the runs took at most {seconds(slowest)}" if slowest else NOTHING
    return Chart(tuple(drawn), seconds(slowest) if slowest else "", _labels(bars), summary)


def of_load(minutes: Sequence[Minute]) -> Chart:
    """Runs that are to start, minute by minute."""
    top = max((minute.runs for minute in minutes), default=0)
    columns = [
        _column(place, len(minutes), [("calm", minute.runs)], top, f"{minute.at:%H:%M}: {number(minute.runs)} runs")
        for place, minute in enumerate(minutes)
        if minute.runs
    ]
    coming = sum(minute.runs for minute in minutes)
    summary = f"{number(coming)} to start, at most {number(top)} in one minute" if coming else "no runs are due"
    return Chart(
        tuple(columns), number(top) if top else "", _spaced([minute.at for minute in minutes], "%H:%M"), summary
    )


def _column(place: int, places: int, parts: Sequence[tuple[str, float]], top: float, title: str) -> Column:
    step = WIDTH / places
    width = step * (1 - GAP)
    x = place * step + (step - width) / 2
    strokes = []
    floor = HEIGHT
    for kind, value in parts:
        if value <= 0:
            continue
        height = max(SHORTEST, value / top * (HEIGHT - 2 * SHORTEST)) if top else 0.0
        floor -= height
        strokes.append(Stroke(kind, round(x, 2), round(floor, 2), round(width, 2), round(height, 2)))
    return Column(round(place * step, 2), round(step, 2), tuple(strokes), title)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - value / top * (HEIGHT - 2 * SHORTEST), 2) if top else HEIGHT


def _span(bar: Bar) -> str:
    return f"{bar.start:%a %H:%M} to {bar.end:%H:%M}"


def _labels(bars: Sequence[Bar]) -> tuple[str, ...]:
    long = bool(bars) and (bars[-1].end - bars[0].start).days > 1
    return _spaced([bar.start for bar in bars], "%a %d" if long else "%H:%M")


def _spaced(instants: Sequence[datetime], form: str) -> tuple[str, ...]:
    """A few of the instants, at equal distances."""
    step = max(1, len(instants) // LABELS)
    return tuple(f"{at:{form}}" for at in instants[::step])
