"""`contacts-sync init`: a configuration, a key and a store to begin with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame


@click.command("init")
@json_option
@pass_frame
def command(frame: Frame, as_json: bool) -> None:
    """Write a commented configuration file and a fresh key file (0600), and create the store.

    What exists already is left as it is.

    Example: contacts-sync init
    """
    from contacts_sync import config as configuration
    from contacts_sync import vault
    from contacts_sync.cli.output import print_json, say

    path = Path(frame.config_path) if frame.config_path else configuration.default_path(os.environ)
    made = []
    if not path.exists():
        _write_new(path, configuration.example())
        made.append(str(path))
    config = Frame(str(path), frame.log_level, frame.log_format).config()
    if not config.secrets.key_file.exists():
        _make_directory(config.secrets.key_file.parent)
        vault.write_key_file(config.secrets.key_file)
        made.append(str(config.secrets.key_file))
    with frame.store(config, create=True, upgrade=True):
        pass
    if as_json:
        print_json({"config": str(path), "key_file": str(config.secrets.key_file), "made": made})
        return
    for name in made:
        say(f"wrote {name}")
    say(f"the store is ready; configuration: {path}")
    say(_next_step(configuration.has_client(config), path))


def _write_new(path: Path, text: str) -> None:
    from contacts_sync.errors import ConfigurationError

    try:
        _make_directory(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}", hint="choose another --config") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _next_step(ready: bool, path: Path) -> str:
    if ready:
        return "next: contacts-sync connect USER"
    return f"next: set google.client_secrets_file in {path}, then: contacts-sync connect USER"
