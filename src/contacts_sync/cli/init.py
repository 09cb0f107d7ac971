"""`contacts-sync init`: a configuration, a key and a store to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.store.engine import Database


@click.command("init")
@json_option
@pass_frame
def command(frame: Frame, as_json: bool) -> None:
    """Write a commented configuration file and a fresh key file (0600), and create the store.

    What exists already is left as it is.

    Example: contacts-sync init
    """
    from contacts_sync import config as configuration
    from contacts_sync.cli.output import print_json, say

    path = Path(frame.config_path) if frame.config_path else configuration.default_path(os.environ)
    made = [path] if _written(path, configuration.example()) else []
    config = Frame(str(path), frame.log_level, frame.log_format).config()
    with frame.store(config, create=True, upgrade=True) as db:
        made += [config.secrets.key_file] if _key_made(config, db) else []
    if as_json:
        names = [str(one) for one in made]
        print_json({"config": str(path), "key_file": str(config.secrets.key_file), "made": names})
        return
    for one in made:
        say(f"wrote {one}")
    say(f"the store is ready; configuration: {path}")
    say(_next_step(config, path))


def _written(path: Path, text: str) -> bool:
    """True if the file is new. Raises `ConfigurationError`."""
    from contacts_sync.errors import ConfigurationError
    from contacts_sync.new_file import make_directories, write_new

    if path.exists():
        return False
    try:
        make_directories(path.parent)
        write_new(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be written: {error.strerror}", hint="choose another file with --config"
        ) from None
    return True


def _key_made(config: Config, db: Database) -> bool:
    """True if the key file is new. Raises `KeyProblem` for one that can't be used, and rather than put a new key
    in the place of a lost one.
    """
    from contacts_sync import vault
    from contacts_sync.errors import KeyProblem
    from contacts_sync.new_file import make_directories
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    path = config.secrets.key_file
    if path.exists():
        vault.load_keys(path)
        return False
    with read(db) as tx:
        sealed = sum(1 for _ in connections.every_grant(tx))
    if sealed:
        raise KeyProblem(
            f"there is no key file {path}, but the store holds the sealed tokens of {sealed} users",
            hint="put it back; if it is lost, `contacts-sync key generate` makes one: connect each user again",
        )
    make_directories(path.parent)
    vault.write_key_file(path)
    return True


def _next_step(config: Config, path: Path) -> str:
    from contacts_sync.oauth_client import has_client

    if has_client(config):
        return "next: contacts-sync connect USER"
    return f"next: set google.client_secrets_file in {path}, then: contacts-sync connect USER"
