"""A secret in a file of its own: the first line, of a file that isn't open to everybody."""

from __future__ import annotations

from pathlib import Path

from contacts_sync.errors import ConfigurationError


def read_secret(path: Path, key: str) -> str:
    """The secret of a file that the configuration's `key` names.

    Raises `ConfigurationError` if it can't be read, is empty, or everybody can read it.
    """
    try:
        if path.stat().st_mode & 0o007:
            raise ConfigurationError(f"{key} {path} is open to everybody", hint=f"chmod 600 {path}")
        secret = path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{key} {path} can't be read: {type(error).__name__}") from None
    if not secret:
        raise ConfigurationError(f"{key} {path}: its first line is empty", hint="one line: the secret")
    return secret
