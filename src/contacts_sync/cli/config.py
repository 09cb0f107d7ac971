"""`contacts-sync config`: what is in force, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame


@click.group("config")
def command() -> None:
    """Show and validate the configuration."""


@command.command("show")
@click.option("--changed", is_flag=True, help="Only what differs from the defaults.")
@json_option
@pass_frame
def show(frame: Frame, changed: bool, as_json: bool) -> None:
    """Show every key with its effective value and where that was set; secrets are masked.

    Example: contacts-sync config show --changed
    """
    from contacts_sync.cli.output import print_json, print_table

    shown = [one for one in frame.settings() if one.origin != "default" or not changed]
    if as_json:
        print_json({"settings": [asdict(one) for one in shown]})
    else:
        print_table(("key", "value", "set by"), [(one.name, one.value, one.origin) for one in shown])


@command.command("validate")
@click.argument("path", metavar="FILE")
@json_option
@pass_frame
def validate(frame: Frame, path: str, as_json: bool) -> None:  # noqa: ARG001  (FILE alone is looked at)
    """Say whether FILE would be taken as a configuration; every problem is a line. The environment is left aside.

    Example: contacts-sync config validate /etc/contacts-sync/config.toml
    """
    from contacts_sync import config as configuration
    from contacts_sync.cli.output import print_json, say

    configuration.load(Path(path), environ={})
    if as_json:
        print_json({"ok": True, "file": path})
    else:
        say(f"{path} is valid")
