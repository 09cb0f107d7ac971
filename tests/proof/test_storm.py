"""Two daemons and four operators at once on PostgreSQL: nobody is in anybody's way, and no run meets another one.

The commands are forked from a process that has loaded the program, so that they meet each other far more often; what
the loading takes, half a second of computing each, isn't in the time that a command took.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from contacts_sync.store.engine import close, open_database
from tests.inside import desk_for, join, rows
from tests.launcher import Launcher
from tests.operating import Operator, wait_until
from tests.postgres import Server
from tests.proof.conftest import Say

OPERATORS = 4
QUICK, WHOLE = (8, 32), (200, 2000)  # users, commands
COMMANDS = (
    ("run-now", "--no-wait"),
    ("run-now", "--no-wait", "--full"),
    ("schedule", "set", "--cron", "*/5 * * * *"),
    ("schedule", "reset"),
    ("status",),
    ("contacts", "list"),
    ("runs", "list", "--user"),
)


@pytest.fixture
def operator(tmp_path: Path, google: Sandbox, postgres: Server, launcher: Launcher) -> Operator:
    return Operator(tmp_path, google, postgres.new_database(), launcher, DAEMON__LEASE="30s", DAEMON__HEARTBEAT="2s")


def connect_all(operator: Operator, users: list[str]) -> None:
    db = open_database(operator.url)
    desk = desk_for(operator.google, db, operator.home)
    for user in users:
        operator.google.world.add_account(f"{user}@example.com").add_people(3)
        join(desk, operator.google, user, f"{user}@example.com")
    close(db)


def test_daemons_and_operators_do_not_disturb_each_other(operator: Operator, whole: bool, say: Say) -> None:
    number, commands = WHOLE if whole else QUICK
    users = [f"user{n}" for n in range(number)]
    operator.init()
    connect_all(operator, users)
    with ExitStack() as daemons:
        for _ in range(2):
            daemons.enter_context(operator.daemon())
        with ThreadPoolExecutor(OPERATORS) as pool:
            told = list(
                pool.map(lambda seed: list(typing(operator, users, seed, commands // OPERATORS)), range(OPERATORS))
            )
        wait_until(lambda: not operator.runs("--status", "queued"), seconds=120)
        wait_until(lambda: not operator.runs("--status", "running"), seconds=60)
    seconds = sorted(one for some in told for one in some)
    slow = seconds[int(len(seconds) * 0.99) - 1]
    assert "Traceback" not in (operator.home / "daemon.log").read_text()
    runs = overlapping(operator)
    say(f"storm: 2 daemons, {len(seconds)} commands, {runs} runs, 0 overlap, p99 of a command {slow:.2f} s")


def typing(operator: Operator, users: list[str], seed: int, commands: int) -> Iterator[float]:
    """Type commands one after the other; each succeeds. The answer is how long they took."""
    chance = random.Random(seed)
    for _ in range(commands):
        words = chance.choice(COMMANDS)
        since = time.monotonic()
        done = operator.run(*words, chance.choice(users))
        yield time.monotonic() - since
        assert "Traceback" not in done.stderr
        assert "locked" not in done.stderr


def overlapping(operator: Operator) -> int:
    """Assert that no two runs of a user overlap; the answer is how many runs there were."""
    db = open_database(operator.url)
    found = rows(db, "SELECT user_id, started_at, finished_at, status FROM sync_runs ORDER BY user_id, started_at")
    close(db)
    assert {status for *_, status in found} == {"succeeded"}
    for (user, _, ended, _), (other, began, _, _) in pairwise(found):
        assert user != other or ended <= began, f"two runs of {user} overlap"
    return len(found)
