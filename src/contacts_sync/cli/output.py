"""How results look: one JSON document, a table on a terminal, plain lines elsewhere. Foreign text is cleaned."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from contacts_sync.documents import instant as instant  # noqa: PLC0414  (commands have all their output from here)
from contacts_sync.redaction import clean


def print_json(document: Any) -> None:
    """One JSON document, pure ASCII, so that nothing in it can steer a terminal; written at once."""
    click.echo(json.dumps(document, ensure_ascii=True))
    sys.stdout.flush()


def say(text: str = "") -> None:
    """A line of data on stdout, cleaned."""
    click.echo(clean(text))


class _Voice:
    """How much this process says beside its results and errors."""

    quiet = False


def be_quiet() -> None:
    """`--quiet`: results and what needs attention, nothing else."""
    _Voice.quiet = True


def is_quiet() -> bool:
    """True after `--quiet`."""
    return _Voice.quiet


def note(text: str) -> None:
    """A line about what goes on, on stderr, cleaned; not with `--quiet`."""
    if not _Voice.quiet:
        warn(text)


def warn(text: str) -> None:
    """A line that somebody should act on, on stderr, cleaned."""
    click.echo(clean(text), err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows below headings: drawn on a terminal, else lines with two blanks between aligned columns."""
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells)
        return
    widths = [max([len(columns[n]), *(len(row[n]) for row in cells)]) for n in range(len(columns))]
    lines = [[column.upper() for column in columns], *cells]
    form = "  ".join(f"{{:{width}}}" for width in widths)
    click.echo("\n".join(form.format(*row).rstrip() for row in lines))


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return instant(value) or "-"
    return clean(str(value))


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """One thing, a field a line."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name.ljust(width)}  {_cell(value)}")
