"""All commands, by what they have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from contacts_sync.cli import COMMANDS, root


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found, name
        yield from leaves(found, (*path, name))


LEAVES = dict(leaves(root))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_takes_json_and_shows_an_example(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    assert any("--json" in option.opts for option in command.params)
    assert re.search(rf"Examples?: contacts-sync {' '.join(path)}\b", str(command.help))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_needs_neither_configuration_nor_store(name: str, option: str) -> None:
    told = CliRunner(env={"CONTACTS_SYNC_CONFIG": "/nowhere"}).invoke(root, [name, option])
    assert told.exit_code == 0
    assert told.output.startswith(f"Usage: root {name}")


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(root, ["--version"]).output.startswith("contacts-sync, version ")
