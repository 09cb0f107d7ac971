"""`contacts-sync key`: encryption keys."""

from __future__ import annotations

import click

from contacts_sync.cli.frame import Frame, json_option, pass_frame


@click.group("key")
def command() -> None:
    """Make encryption keys, and re-encrypt what the store holds."""


@command.command("generate")
@json_option
@pass_frame
def generate(frame: Frame, as_json: bool) -> None:  # noqa: ARG001  (only JSON or the key is printed)
    """Print a fresh key, to be put into the key file by hand.

    Example: contacts-sync key generate
    """
    from contacts_sync import vault
    from contacts_sync.cli.output import print_json

    key = vault.generate_key()
    if as_json:
        print_json({"key": key})
    else:
        click.echo(key)


@command.command("rotate")
@json_option
@pass_frame
def rotate(frame: Frame, as_json: bool) -> None:
    """Seal every token anew with the first key of the key file.

    Put the new key on the first line of the key file, run this, then remove the old key. Safe beside a running
    daemon and safe to repeat.

    Example: contacts-sync key rotate
    """
    from contacts_sync import vault
    from contacts_sync.cli.output import print_json, say, warn
    from contacts_sync.cli.progress import advancing
    from contacts_sync.errors import KeyProblem, typed
    from contacts_sync.sync.rotation import rotate_all

    config = frame.config()
    keys = vault.load_keys(config.secrets.key_file)
    with frame.store(config) as db, advancing("sealing") as show:
        rotated = rotate_all(db, keys, show)
    for user_id in rotated.unreadable:
        warn(f"no key opens the tokens of {user_id}: contacts-sync connect {typed(user_id)}")
    if as_json:
        print_json({"rotated": rotated.resealed, "unreadable": list(rotated.unreadable)})
    else:
        say(f"{rotated.resealed} tokens sealed with the first key, {rotated.current} were already")
        if not rotated.unreadable and keys.spare:
            say(f"the older keys can be removed from {config.secrets.key_file}, once no backup needs them")
    if rotated.unreadable:
        raise KeyProblem("some tokens don't open with any key", hint="put the old key back, or connect the users again")
