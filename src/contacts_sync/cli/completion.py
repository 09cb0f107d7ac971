"""`contacts-sync completion`: what a shell needs to complete commands, options and users."""

from __future__ import annotations

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame

VARIABLE = "_CONTACTS_SYNC_COMPLETE"  # click asks for completions through it


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@pass_frame
@click.pass_context
def command(ctx: click.Context, frame: Frame, shell: str, as_json: bool) -> None:  # noqa: ARG001  (needs no configuration)
    """Print the completion script for a shell: commands, options, and the users of the store.

    \b
    Examples: contacts-sync completion bash > /etc/bash_completion.d/contacts-sync
              contacts-sync completion zsh > "${fpath[1]}/_contacts-sync"
              contacts-sync completion fish > ~/.config/fish/completions/contacts-sync.fish
    """
    from click.shell_completion import get_completion_class

    from contacts_sync.cli.output import print_json

    complete = get_completion_class(shell)
    if complete is None:  # pragma: no cover  (click knows the three)
        raise AssertionError(shell)
    script = complete(ctx.find_root().command, {}, "contacts-sync", VARIABLE).source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
