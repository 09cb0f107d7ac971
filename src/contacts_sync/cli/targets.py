"""Files that a command writes at an operator's wish."""

from __future__ import annotations

import os
from pathlib import Path

from contacts_sync.errors import ExportRefused


def refuse_target(target: Path, *, force: bool) -> None:
    """Raise `ExportRefused` for what exists, unless it may be replaced: a device or a pipe never may."""
    if target.exists() and not target.is_file():
        raise ExportRefused(f"{target} is no regular file", hint="choose another file, or redirect stdout")
    if os.path.lexists(target) and not force:
        raise ExportRefused(f"{target} exists already", hint="choose another file, or add --force")
