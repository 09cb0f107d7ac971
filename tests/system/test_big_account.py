"""Memory doesn't grow with the account."""

from __future__ import annotations

import os
import subprocess

from tests.operator import Operator

ALICE = "alice@example.com"
LIMIT_MB = 150


def test_25000_contacts_are_synced_in_little_memory(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(25_000)
    operator.init()
    operator.connect("alice", account=ALICE)
    process = operator.start("run-now", "alice", stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdin
    process.stdin.close()
    print(f"peak memory of a full sync of 25,000 contacts: {used.ru_maxrss / 1024:.0f} MB")
    assert process.returncode == 0
    assert operator.user("alice")["contacts"] == 25_000
    assert used.ru_maxrss / 1024 < LIMIT_MB
