"""Private files and directories of ours; a file comes into being whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def make_directories(directory: Path) -> None:
    """Make a directory and what is missing above it, all of it 0700, whatever the umask. Raises `OSError`."""
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    for parent in reversed(missing):
        with suppress(FileExistsError):
            parent.mkdir(mode=0o700)


def write_new(path: Path, text: str) -> None:
    """Make a file that only its owner can read (0600) and that survives a power cut.

    It is written under another name and then linked into place: a kill or a full disk leaves no empty file, which
    would be taken for the real one ever after. Raises `FileExistsError` rather than overwrite, `OSError`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        path.hardlink_to(draft)
    finally:
        draft.unlink()
