"""Memory doesn't grow with the account."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.operating import Operator, wait_until

ALICE = "alice@example.com"
LIMIT_MB = 150


def test_25000_contacts_are_synced_in_little_memory(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(25_000)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.launcher = None  # which would lend it its memory
    process = operator.start("run-now", "alice", stderr=subprocess.STDOUT)
    peaks: list[float] = []

    def ended() -> bool:
        peaks.append(peak_mb(process.pid))
        return process.poll() is not None

    wait_until(ended, seconds=100)
    out, _ = process.communicate()
    print(f"peak memory of a full sync of 25,000 contacts: {max(peaks):.0f} MB")
    assert process.returncode == 0, out
    assert operator.user("alice")["contacts"] == 25_000
    assert 20 < max(peaks) < LIMIT_MB


def peak_mb(pid: int) -> float:
    """The process's own high-water mark; a child's rusage would count its parent's before the exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
