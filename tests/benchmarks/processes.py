"""A command as a whole process: how long it took, how much it computed, how much memory it needed at most."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, seconds of CPU (user and system) and MB at the peak; 0 MB where nobody looked."""

    seconds: float
    cpu_seconds: float
    peak_mb: float = 0.0


def process_cost(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end. Raises `CalledProcessError` if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
    watcher.start()
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        print(said, file=sys.stderr)
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(peaks))


def _watch(pid: int, peaks: list[float]) -> None:
    """The process's own high-water mark; a child's rusage would count its parent's before the exec."""
    status = Path(f"/proc/{pid}/status")
    while True:
        try:
            lines = status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return
        mark = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        if not mark and any(line.startswith("State:\tZ") for line in lines):
            return
        peaks += mark
        time.sleep(LOOK_EVERY_SECONDS)
