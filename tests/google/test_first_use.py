"""The first answers that a process reads may come to several workers at the same moment."""

from __future__ import annotations

import subprocess
import sys

FIRST_USE = """
import sys, threading
from contacts_sync.google.wire import groups_of, page_of
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
def read():
    together.wait()
    groups_of(b'{"contactGroups":[{"resourceName":"contactGroups/1","name":"x"}]}')
    page_of(b'{"connections":[{"resourceName":"people/1","names":[{"givenName":"A"}],"emailAddresses":[{"value":"a@b"}]}]}')
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_workers_that_read_their_first_answers_together_dont_crash_the_process() -> None:
    codes = [subprocess.run([sys.executable, "-c", FIRST_USE], timeout=60, check=False).returncode for _ in range(12)]
    assert codes == [0] * 12
