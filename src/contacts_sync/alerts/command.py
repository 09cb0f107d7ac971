"""One command of the operator's, from start to end: no shell, no secret, no more time than it has, little output.

It has a process group of its own, and whatever is left of that when the command is over is killed. A child that
leaves the group lives on, but nobody waits for it, not even for the pipe that it holds.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import IO, cast

LOOK_EVERY = timedelta(milliseconds=50)
REAPED_WITHIN = timedelta(seconds=5)
LONGEST_OUTPUT = 2_000  # bytes: the end says most
CHUNK = 64 * 1024  # what a pipe holds
PACE = timedelta(milliseconds=5)  # between two chunks that nobody will see
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"


class Ending(StrEnum):
    """How a command ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"  # because the process that started it ends
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended and why, and the last of what it said."""

    ending: Ending
    why: str = ""
    output: str = ""


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a command may know: where programs are, who it is, which language and zone. Nothing else."""
    return {"PATH": USUAL_PATH, **{name: environ[name] for name in PASSED_ON if name in environ}}


def carry_out(words: Sequence[str], told: bytes, *, limit: timedelta, stop: threading.Event) -> Ended:
    """Run a command in `/` with `told` on its stdin, until it ends, its time is over, or `stop` is set."""
    try:
        process = _started(words, told)
    except OSError as error:
        return Ended(Ending.NOT_STARTED, f"{words[0]}: {error.strerror}")
    pipe = cast("IO[bytes]", process.stdout)
    output = _Output(pipe)
    try:
        ending = _await(process, output, time.monotonic() + limit.total_seconds(), stop)
    finally:
        _end(process)
    output.take_what_is_there()
    pipe.close()
    if ending is not None:
        return Ended(ending, output=output.text)
    return Ended(*_judged(process.returncode), output.text)


def _started(words: Sequence[str], told: bytes) -> subprocess.Popen[bytes]:
    with _in_memory(told) as stdin:
        return subprocess.Popen(  # noqa: S603  (the operator's own words, and no shell)
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd="/",
            start_new_session=True,
        )


@contextmanager
def _in_memory(told: bytes) -> Iterator[IO[bytes]]:
    """A file that is nowhere: who reads it not, holds up nobody."""
    with open(os.memfd_create("contacts-sync-hook"), "w+b") as file:  # noqa: PTH123  (it has no path)
        file.write(told)
        file.seek(0)
        yield file


def _await(process: subprocess.Popen[bytes], output: _Output, until: float, stop: threading.Event) -> Ending | None:
    """None once the process has ended by itself; it isn't reaped, so that its group stays its own."""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if stop.is_set():
            return Ending.STOPPED
        if time.monotonic() >= until:
            return Ending.TIMED_OUT
        output.take(LOOK_EVERY)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(REAPED_WITHIN.total_seconds())


def _judged(code: int) -> tuple[Ending, str]:
    if code == 0:
        return Ending.SUCCEEDED, ""
    return Ending.FAILED, f"exit code {code}" if code > 0 else f"killed by signal {-code}"


class _Output:
    """The last of what comes out of a pipe; the rest is read and forgotten, at a pace that costs little."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe.fileno()
        os.set_blocking(self._pipe, False)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._open = True
        self._kept = b""
        self._cut = False

    def take(self, patience: timedelta) -> None:
        """What comes within `patience`, if anything does."""
        if not self._open:
            time.sleep(patience.total_seconds())
        elif self._poll.poll(patience.total_seconds() * 1000):
            self._read()
            if self._cut:
                time.sleep(PACE.total_seconds())

    def take_what_is_there(self) -> None:
        """What the pipe still holds, without waiting for whoever keeps it open."""
        if self._open:
            with suppress(BlockingIOError):
                self._read()

    def _read(self) -> None:
        chunk = os.read(self._pipe, CHUNK)
        self._open = bool(chunk)
        self._cut = self._cut or len(self._kept) + len(chunk) > LONGEST_OUTPUT
        self._kept = (self._kept + chunk)[-LONGEST_OUTPUT:]

    @property
    def text(self) -> str:
        """What was kept; it begins with … if there was more."""
        return ("…" if self._cut else "") + self._kept.decode(errors="replace").strip()
