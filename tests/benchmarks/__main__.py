"""Measures the product beside the least that Python has to do, and says how it compares.

Run it from the repository's root on a quiet machine: `python -m tests.benchmarks`. The table is printed as it comes;
table and plots are left in the folder that `--output` names.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from contacts_sync import logs
from tests.benchmarks import account, users
from tests.benchmarks.report import Plot, Row, as_markdown, draw, told
from tests.postgres import Server, serve

OUTPUT = Path("build/benchmarks")
PARTS = ("account", "users")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how many pairs of samples; medians are shown")
    parser.add_argument("--contacts", type=int, default=25_000, help="in the one big account")
    parser.add_argument("--users", type=int, default=10_000, help="in the fleet that is due at once")
    parser.add_argument("--many-users", type=int, default=100_000, help="whom an idle daemon knows")
    parser.add_argument("--only", choices=PARTS, help="the big account, or the many users")
    parser.add_argument("--no-growth", action="store_true", help="leave out how cost grows")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="a folder for the table and the plots")
    given = parser.parse_args()
    logs.configure(level="error", format="console", stream=sys.stderr)
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serve() as server:
        parts = [given.only] if given.only else PARTS
        rows = told(chain.from_iterable(_rows(part, Path(folder), server, given) for part in parts))
        (given.output / "table.md").write_text(as_markdown(rows))
        if not given.no_growth:
            for plot in chain.from_iterable(_plots(part, Path(folder), server, given) for part in parts):
                draw(plot, given.output / f"{plot.name}.svg")


def _rows(part: str, folder: Path, server: Server, given: argparse.Namespace) -> Iterator[Row]:
    if part == "account":
        return account.measure(folder, server, rounds=given.rounds, contacts=given.contacts)
    return users.measure(folder, server, rounds=given.rounds, users=given.users, many=given.many_users)


def _plots(part: str, folder: Path, server: Server, given: argparse.Namespace) -> Iterator[Plot]:
    if part == "account":
        return account.growth(folder, server, rounds=given.rounds)
    return users.growth(folder, rounds=given.rounds)


if __name__ == "__main__":
    main()
