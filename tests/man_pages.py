"""The manual and the overview, made from the commands: `python -m tests.man_pages` writes them, tests compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
from click.testing import CliRunner
from click_man.man import ManPage

from contacts_sync import __version__
from contacts_sync.cli import Commands, root
from contacts_sync.overview import COLUMNS, OVERVIEW

PACKAGE = Path(__file__).parents[1] / "src" / "contacts_sync"
FOLDER = PACKAGE / "man"
NAME = "contacts-sync"
ALSO = """.SH EXIT STATUS
0 done; 1 the operation failed; 2 wrong usage; 3 no such user, or not connected; 4 the user must authorise again;
75 try again later; 78 configuration error; 130 interrupted.
.SH FILES
The first of these that exists is the configuration: \\-\\-config FILE, $CONTACTS_SYNC_CONFIG,
$XDG_CONFIG_HOME/contacts\\-sync/config.toml, /etc/contacts\\-sync/config.toml.
.SH ENVIRONMENT
Any key of the configuration can be set as CONTACTS_SYNC_SECTION__KEY; NO_COLOR is respected.
"""


def overview() -> str:
    """What `contacts-sync --help` says, as click makes it."""
    return CliRunner(env={"COLUMNS": str(COLUMNS)}).invoke(root, ["--help"], prog_name=NAME).output


def pages() -> dict[str, str]:
    """The text of every page by file name."""
    return {f"{path.replace(' ', '-')}.1": _page(context, path) for path, context in _contexts(root, NAME, None)}


def _contexts(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100)
    yield context.command_path.replace(" USER", ""), context
    for one, below in _below(context):
        yield from _contexts(below, one, context)


def _below(context: click.Context) -> list[tuple[str, click.Command]]:
    group = context.command
    if not isinstance(group, click.Group):
        return []
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [(name, command) for name, command in found if command is not None]


def _page(context: click.Context, path: str) -> str:
    command = context.command
    page = ManPage(path)
    page.version = __version__
    page.date = f"{NAME} {__version__}"
    told = cleandoc(command.help or "")
    page.short_help = told.split("\n\n", maxsplit=1)[0].replace("\n", " ").rstrip(".:")
    page.synopsis = " ".join(command.collect_usage_pieces(context))
    page.description = _described(told)
    page.options = [
        _escaped(record)
        for one in command.params
        if isinstance(one, click.Option) and (record := one.get_help_record(context))
    ]
    page.commands = [(name, cleandoc(below.help or "").split("\n\n", maxsplit=1)[0]) for name, below in _below(context)]
    return str(page) + (ALSO if isinstance(command, Commands) else f".SH SEE ALSO\n{NAME}(1)\n")


def _described(text: str) -> str:
    """Paragraphs; examples stay as they are typed."""
    text = re.sub(r"\x08\n((?:.+\n?)*)", lambda found: f".nf\n{found[1].rstrip()}\n.fi\n", text)
    return "\n".join(_safe(line) for line in text.strip().splitlines())


def _safe(line: str) -> str:
    """A line whose first sign troff would take for a command."""
    plain = line.replace("\\", "\\e") if not line.startswith(".") else line
    return plain if plain in (".nf", ".fi") or not plain.startswith((".", "'")) else f"\\&{plain}"


def _escaped(record: tuple[str, str]) -> tuple[str, str]:
    return record[0], _safe(record[1])


def main() -> None:
    """Write them all; what is no page any more goes."""
    holder = PACKAGE / "overview.py"
    holder.write_text(holder.read_text().replace(OVERVIEW, overview()))
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for old in FOLDER.glob("*.1"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
