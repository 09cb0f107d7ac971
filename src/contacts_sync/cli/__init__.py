"""The door: words in; words and an exit code out. Loads nothing heavy before a command is chosen."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from contacts_sync import __version__

# Name -> module and short help, so that --help need not load the commands.
COMMANDS = {
    "demo": ("demo", "Run the whole job against a simulated Google."),
    "init": ("init", "Write a configuration and a key file, create the store."),
    "connect": ("connect", "Connect a user to a Google account."),
    "authorize": ("authorize", "Get consent here for a server without a browser."),
    "disconnect": ("disconnect", "Cut a user's connection; the contacts stay."),
    "run-now": ("run_now", "Sync users now."),
    "daemon": ("daemon", "Run scheduler and workers in the foreground."),
    "status": ("status", "Show whether all is well."),
    "schedule": ("schedule", "Show and change who is synced when."),
    "runs": ("runs", "Look at the history of runs, retry, approve."),
    "alerts": ("alerts", "See what was told, and try whether telling works."),
    "contacts": ("contacts", "Read what was synced."),
    "export": ("export", "Take a user's contacts away in a file."),
    "check": ("check", "Check configuration, store, keys and Google."),
    "config": ("config", "Show and validate the configuration."),
    "key": ("key", "Make encryption keys."),
    "db": ("db", "Upgrade, check and back up the store."),
    "completion": ("completion", "Print the completion script for a shell."),
}


class Commands(click.Group):
    """Loads a command's module when the command is chosen."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """In the order an operator meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (click's signature)
        """The command, from its module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"contacts_sync.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click's signature)
        """The list in --help, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: contacts-sync demo",
)
@click.version_option(__version__, prog_name="contacts-sync")
@click.option("--config", "config_path", metavar="FILE", help="The configuration file.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is said on stderr; debug adds tracebacks.",
)
@click.option("--log-format", type=click.Choice(["console", "json"]), help="How it is said.")
@click.option("-q", "--quiet", is_flag=True, help="Say only results and what needs attention.")
@click.pass_context
def root(
    ctx: click.Context,
    config_path: str | None,
    log_level: str | None,
    log_format: str | None,
    quiet: bool,
) -> None:
    """Keep a complete, queryable copy of every connected user's Google Contacts."""
    from contacts_sync.cli.frame import Frame

    if quiet:
        from contacts_sync.cli.output import be_quiet

        be_quiet()

    ctx.obj = Frame(config_path, log_level, log_format)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and end the process with its exit code."""
    words = [_typed(word) for word in sys.argv[1:]] if arguments is None else list(arguments)
    from contacts_sync.cli.boundary import run

    sys.exit(run(root, words))


def _typed(word: str) -> str:
    """A word as UTF-8, which is what terminals type, whatever encoding the locale is said to have."""
    return os.fsencode(word).decode("utf-8", "surrogateescape")
