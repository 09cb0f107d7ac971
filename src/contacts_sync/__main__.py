"""The first step of the program: `contacts-sync`, and `python -m contacts_sync`."""

from __future__ import annotations

import gc
import os
import sys

from contacts_sync.overview import COLUMNS, OVERVIEW

# After so many new objects, instead of 700, Python looks for cycles among them: hundreds of looks at what is only
# being loaded, and stays, were a sixth of a short command's time. Those that a long one leaves are a MB or two.
NEW_OBJECTS = 10_000


def main() -> None:
    """Carry out the command line. The overview needs no command, so nothing is loaded for it."""
    if sys.argv[1:] in (["--help"], ["-h"]) and _shows_overview():
        return
    from contacts_sync.cli import main as carry_out  # noqa: PLC0415  (loads click, most of what `--help` would cost)

    gc.set_threshold(NEW_OBJECTS)
    try:
        carry_out()
    finally:
        gc.freeze()  # the process ends: nobody needs to look through all that was loaded, twice, for what to free first


def _shows_overview() -> bool:
    """False where it doesn't fit, or can't be written: the command line then does the same at length."""
    try:
        if sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns < COLUMNS:
            return False
        sys.stdout.write(OVERVIEW)
        sys.stdout.flush()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
