"""What was measured, as a table in Markdown and as plots."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.processes import Cost

HEAD = "| what | limit | contacts-sync | ratio | goal |\n| --- | --- | --- | --- | --- |"
Sample = TypeVar("Sample")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, in cells: what, the limit, the product, their ratio or else what counts, the goal."""

    what: str
    limit: str
    product: str
    ratio: str
    goal: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over the same growing work, on logarithmic axes: what is linear runs along the diagonal."""

    name: str
    work: str
    cost: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


def nothing() -> None:
    """What comes before a pair of samples where nothing must."""


def alternately(
    rounds: int,
    one: Callable[[], Sample],
    other: Callable[[], Other],
    before: Callable[[], object] = nothing,
) -> list[tuple[Sample, Other]]:
    """Samples of both in pairs, each pair taken side by side and every second one the other way round."""
    pairs = []
    for number in range(rounds):
        before()
        if number % 2:
            second, first = other(), one()
        else:
            first, second = one(), other()
        pairs.append((first, second))
    return pairs


def compared(what: str, pairs: Sequence[tuple[Cost, Cost]], *, goal: float, milliseconds: bool = False) -> Row:
    """Limit and product side by side: medians, and the medians of the pairs' ratios by the clock and of CPU."""
    limits, products = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    by_clock = statistics.median(product.seconds / limit.seconds for limit, product in pairs)
    of_cpu = statistics.median(product.cpu_seconds / limit.cpu_seconds for limit, product in pairs)
    return Row(
        what,
        _cell(limits, milliseconds=milliseconds),
        _cell(products, milliseconds=milliseconds),
        f"{by_clock:.2f} (CPU {of_cpu:.2f})",
        f"≤ {goal:g}",
    )


def _cell(costs: Iterable[Cost], *, milliseconds: bool) -> str:
    found = list(costs)
    factor, unit = (1000, "ms") if milliseconds else (1, "s")
    clock = statistics.median(cost.seconds for cost in found) * factor
    cpu = statistics.median(cost.cpu_seconds for cost in found) * factor
    peak = max(cost.peak_mb for cost in found)
    return f"{clock:.2f} {unit}, CPU {cpu:.2f}" + (f", {peak:.0f} MB" if peak else "")


def told(rows: Iterable[Row]) -> list[Row]:
    """The rows, each printed as soon as it is there."""
    found = []
    print(HEAD, flush=True)
    for row in rows:
        print(_line(row), flush=True)
        found.append(row)
    return found


def as_markdown(rows: Iterable[Row]) -> str:
    """The table."""
    return "\n".join([HEAD, *map(_line, rows), ""])


def _line(row: Row) -> str:
    return f"| {row.what} | {row.limit} | {row.product} | {row.ratio} | {row.goal} |"


def draw(plot: Plot, path: Path) -> None:
    """The plot as a file in the format that its suffix names."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for name, points in plot.lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel=plot.work, ylabel=plot.cost)
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
