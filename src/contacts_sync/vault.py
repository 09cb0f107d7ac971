"""Seal and open secrets, bound to their user. Knows nothing of tables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from contacts_sync.errors import KeyProblem, UnreadableGrant, typed
from contacts_sync.model import Grant
from contacts_sync.new_file import write_new

OWNED = msgspec.json.Decoder(tuple[str, str])
MAKE_ONE = "contacts-sync init makes one; if there was one, put it back"
MEND_IT = "put the old key back; if it is lost: contacts-sync key generate >FILE, and connect each user again"


@dataclass(frozen=True, slots=True)
class Vault:
    """The keys of one key file: the first one seals, all of them open."""

    _keys: tuple[Fernet, ...] = field(repr=False)

    @property
    def _fernet(self) -> MultiFernet:
        return MultiFernet(self._keys)

    @property
    def spare(self) -> int:
        """How many keys only open."""
        return len(self._keys) - 1

    def seal(self, user_id: str, text: str) -> str:
        """Encrypt `text` so that it opens for this user only: the user id is inside what is sealed."""
        return self._fernet.encrypt(msgspec.json.encode([user_id, text])).decode()

    def open(self, user_id: str, sealed: str) -> str:
        """The text that was sealed for this user. Raises `UnreadableGrant`."""
        try:
            owner, text = OWNED.decode(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):  # msgspec's errors are ValueErrors, and so is what was never sealed
            raise _unreadable(user_id, f"no key opens the tokens of user {user_id!r}") from None
        if owner != user_id:
            raise _unreadable(user_id, f"the tokens in the row of user {user_id!r} were sealed for another user")
        return text

    def is_current(self, sealed: str) -> bool:
        """True if the first key opens it, so that the others aren't needed for it."""
        try:
            self._keys[0].decrypt(sealed)
        except (InvalidToken, ValueError):
            return False
        return True

    def reseal(self, user_id: str, sealed: str) -> str:
        """The same secret, sealed with the first key. Raises `UnreadableGrant`."""
        return self.seal(user_id, self.open(user_id, sealed))


def _unreadable(user_id: str, message: str) -> UnreadableGrant:
    hint = f"put the old key back into the key file, or: contacts-sync connect {typed(user_id)}"
    return UnreadableGrant(message, hint=hint)


def generate_key() -> str:
    """A fresh Fernet key: 32 random bytes, url-safe base64."""
    return Fernet.generate_key().decode()


def write_key_file(path: Path) -> None:
    """Write a fresh key, readable by its owner only. Raises `KeyProblem` if the file exists."""
    try:
        write_new(path, generate_key() + "\n")
    except FileExistsError:
        raise KeyProblem(f"{path} exists already, and a key is never overwritten") from None
    except OSError as error:
        raise KeyProblem(f"{path}: {error.strerror}", hint=f"check the owner and the mode of {path.parent}") from error


def load_keys(path: Path) -> Vault:
    """The vault of a key file: one key a line, blank lines and `#` comments left out.

    Raises `KeyProblem` if it is missing, empty, malformed, or open to others than its owner.
    """
    _refuse_open_to_others(path)
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyProblem(f"the key file {path} can't be read: {type(error).__name__}", hint=MEND_IT) from None
    keys = [_fernet(path, number, line.strip()) for number, line in enumerate(lines, 1) if _is_key(line)]
    if not keys:
        raise KeyProblem(f"the key file {path} is empty", hint=MEND_IT)
    return Vault(tuple(keys))


def current_keys(path: Path) -> Vault:
    """The same, read again only when the file has changed: a daemon notices a rotated key file by itself."""
    try:
        seen = path.stat()
    except OSError:
        return load_keys(path)  # which says what is wrong
    return _loaded(path, seen.st_ino, seen.st_mtime_ns, seen.st_mode)


@lru_cache(maxsize=4)
def _loaded(path: Path, _inode: int, _modified_ns: int, _mode: int) -> Vault:
    return load_keys(path)


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _fernet(path: Path, number: int, key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise KeyProblem(
            f"{path}, line {number}: not a key (32 bytes in url-safe base64 are expected)", hint=MEND_IT
        ) from None


def _refuse_open_to_others(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise KeyProblem(f"there is no key file {path}", hint=MAKE_ONE) from None
    except OSError as error:
        raise KeyProblem(f"the key file {path} can't be read: {error.strerror}") from error
    if mode & 0o077 and not _is_credential(path):
        raise KeyProblem(f"the key file {path} is open to others (mode {mode & 0o777:04o})", hint=f"chmod 600 {path}")


def _is_credential(path: Path) -> bool:
    """systemd hands credentials over in a directory of its own, with modes of its own."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return False
    return path.resolve().is_relative_to(Path(directory).resolve())


class _SealedGrant(msgspec.Struct, omit_defaults=True):
    access_token: str
    refresh_token: str
    expires_at: datetime
    scopes: tuple[str, ...]
    refresh_expires_at: datetime | None = None
    service_account: str = ""
    subject: str = ""


GRANT = msgspec.json.Decoder(_SealedGrant)  # made here: msgspec learns a type at its first use, see google/wire.py


def seal_grant(vault: Vault, user_id: str, grant: Grant) -> str:
    """A grant as the store keeps it."""
    plain = _SealedGrant(*(getattr(grant, name) for name in _SealedGrant.__struct_fields__))
    return vault.seal(user_id, msgspec.json.encode(plain).decode())


def open_grant(vault: Vault, user_id: str, sealed: str) -> Grant:
    """The grant again. Raises `UnreadableGrant`."""
    text = vault.open(user_id, sealed)
    try:
        plain = GRANT.decode(text)
    except msgspec.MsgspecError:
        raise UnreadableGrant(
            f"the tokens of user {user_id!r} are not what was stored", hint=f"contacts-sync connect {typed(user_id)}"
        ) from None
    return Grant(*(getattr(plain, name) for name in _SealedGrant.__struct_fields__))
