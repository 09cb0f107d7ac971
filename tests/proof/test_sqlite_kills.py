"""kill -9 before every system call that writes to a SQLite store, or to a file that goes with it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.launcher import Ended, Launched
from tests.proof import seccomp
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, points, prepare, undisturbed, watched
from tests.proof.scenarios import ALL, INIT, Scenario
from tests.proof.stage import Prepared, Scene

WRITTEN = ("store.db", ".store.db", ".key", ".config.toml", "key", "config.toml")
WRITES = (
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
)

pytestmark = [
    pytest.mark.skipif(bool(seccomp.unavailable()), reason=seccomp.unavailable()),
    pytest.mark.parametrize("server", ["sqlite"], indirect=True),
]


def is_write(call: seccomp.Call) -> bool:
    return call.name in WRITES and os.path.basename(call.path).startswith(WRITTEN)  # noqa: PTH119  (a string)


@pytest.mark.parametrize("scenario", [INIT, *ALL], ids=str)
def test_a_process_killed_before_any_write_to_its_store(
    setting: Setting, scenario: Scenario, whole: bool, say: Say
) -> None:
    prepared = prepare(setting, scenario)
    expected = undisturbed(prepared, scenario)
    total = writes_of(prepared, scenario)

    def kill(scene: Scene, nth: int) -> bool:
        return killed_before(nth, scene, scenario).code == -9

    done = each(prepared, scenario, expected, kill, points(total, whole=whole, step=25 if scenario is INIT else 5))
    say(f"kill -9 at SQLite's writes, {scenario}: {done} of {total} points")


def writes_of(prepared: Prepared, scenario: Scenario) -> int:
    """How many writes the command does when nobody disturbs it."""
    seen: list[bool] = []

    def count(call: seccomp.Call, _process: Launched) -> int:
        seen.append(is_write(call))
        return 0

    ended = watched(prepared.anew(), scenario.words, count)
    assert ended.code == 0, ended
    return sum(seen)


def killed_before(nth: int, scene: Scene, scenario: Scenario) -> Ended:
    return watched(scene, scenario.words, _killing(nth))


def _killing(nth: int) -> Callable[[seccomp.Call, Launched], int | None]:
    left = nth

    def decide(call: seccomp.Call, process: Launched) -> int | None:
        nonlocal left
        left -= is_write(call)
        if left > 0 or not is_write(call):
            return 0
        process.kill()
        return None

    return decide
