"""What the free space below a SQLite store means. Pure."""

from __future__ import annotations

from pathlib import Path

LITTLE, TOO_LITTLE = 500_000_000, 50_000_000  # bytes; a full sync of 25,000 contacts needs about 100 MB
MAKE_ROOM = "make room: the store grows there"


def told(directory: Path, free: int) -> str:
    """In words."""
    return f"{free / 1e9:.1f} GB free in {directory}"
