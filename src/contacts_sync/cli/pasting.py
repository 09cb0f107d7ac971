"""Reading what somebody pastes: mails, terminals and chats break long lines, and the breaks come along."""

from __future__ import annotations

import os
import select
import sys

from contacts_sync.errors import ConsentFailed

MOST_BYTES = 20_000
PATIENCE_SECONDS = 0.3  # what was pasted at once is there at once


def pasted_text() -> str:
    """All that was pasted into stdin: the first line, and what comes right behind it. Raises `ConsentFailed`."""
    descriptor = sys.stdin.fileno()
    found = b""
    while len(found) < MOST_BYTES and (not found.strip() or b"\n" not in found or _has_more(descriptor)):
        piece = os.read(descriptor, 4096)
        if not piece:
            break
        found += piece
    if not found.strip():
        raise ConsentFailed("nothing was pasted", hint="begin again")
    return found.decode(errors="replace")


def _has_more(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], PATIENCE_SECONDS)[0])
