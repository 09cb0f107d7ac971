"""How the C library keeps memory that was freed: asked for once, before a process starts its threads."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h of glibc, whose mallopt(3) describes them
LARGE_BYTES = 128 * 1024  # what glibc itself begins with, before it learns from the pages of Google's that come and go


def keep_little() -> None:
    """One arena for all threads, and large blocks given back to the system as soon as they are free.

    Python's threads take turns anyway. With an arena each, pages that have come and gone leave holes in all of them:
    8 MB of 115 at the peak of a first full sync, and now and then 22. Other C libraries have nothing to ask for.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
