"""Measures the product beside the least that Python has to do, and says how it compares.

Run it from the repository's root on a quiet machine: `python -m tests.benchmarks`. The table is printed as it comes;
table and plots are left in the folder that `--output` names.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from contacts_sync import logs
from tests.benchmarks import account
from tests.benchmarks.report import as_markdown, draw, told
from tests.postgres import serve

OUTPUT = Path("build/benchmarks")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how many pairs of samples; medians are shown")
    parser.add_argument("--contacts", type=int, default=25_000, help="in the one big account")
    parser.add_argument("--no-growth", action="store_true", help="leave out how cost grows with the account")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="a folder for the table and the plots")
    given = parser.parse_args()
    logs.configure(level="error", format="console", stream=sys.stderr)
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serve() as server:
        rows = told(account.measure(Path(folder), server, rounds=given.rounds, contacts=given.contacts))
        (given.output / "table.md").write_text(as_markdown(rows))
        if not given.no_growth:
            for plot in account.growth(Path(folder), server, rounds=given.rounds):
                draw(plot, given.output / f"{plot.name}.svg")


if __name__ == "__main__":
    main()
