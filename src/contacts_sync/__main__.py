"""The first step of the program: `contacts-sync`, and `python -m contacts_sync`."""

from __future__ import annotations

import gc
import os
import sys

from contacts_sync.overview import COLUMNS, OVERVIEW

# After so many new objects, instead of 700, Python looks for cycles among them: hundreds of looks at what is only
# being loaded, and stays, were a quarter of a short command's time. The daemon, which lives long, looks more often.
NEW_OBJECTS = 100_000
STANDARD_ERROR = 2


def main() -> None:
    """Carry out the command line. The overview needs no command, so nothing is loaded for it."""
    _stand_in_for_closed_streams()
    if sys.argv[1:] in (["--help"], ["-h"]) and _shows_overview():
        return
    from contacts_sync.cli import main as carry_out  # noqa: PLC0415  (loads click, most of what `--help` would cost)

    gc.set_threshold(NEW_OBJECTS)
    try:
        carry_out()
    finally:
        gc.freeze()  # the process ends: nobody needs to look through all that was loaded, twice, for what to free first


def _stand_in_for_closed_streams() -> None:
    """Started with `>&-`: Python has no stream then, and the next file to be opened, the store perhaps, would get the
    number that everybody writes messages to.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (free := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(free)
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  (it is there to the end)
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115  (likewise)
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115  (likewise)


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
