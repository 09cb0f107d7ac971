"""How the C library keeps memory that was freed: asked for once, before the work begins."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # malloc.h of glibc, whose mallopt(3) describes it
LARGE_BYTES = 128 * 1024  # glibc's own default, until it learns otherwise


def return_large_blocks() -> None:
    """Large blocks go back to the system as soon as they are free.

    glibc would take from the first of Google's pages that blocks of their size come and go, and keep them among the
    small ones, where they leave holes: 4 MB of 115 at the peak of a first full sync. Other C libraries aren't asked.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
