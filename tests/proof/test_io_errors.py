"""The disk says no: at each write, once and from then on. No store is harmed, nothing is claimed that isn't so."""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Callable, Iterable
from itertools import product

import pytest

from tests.inside import rows
from tests.launcher import Launched
from tests.operating import wait_until
from tests.proof import seccomp
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, end, look, points, prepare, undisturbed, watched
from tests.proof.scenarios import CONNECTING, FULL, REFRESH, ROTATE, RUN_NOW, Scenario, wait_out
from tests.proof.stage import Prepared, Scene
from tests.proof.test_sqlite_kills import is_write

KNOWN_ENDS = {0, 1, 75, 78}
TRACES = ("error: unexpected ", "Traceback")
DESPAIR = 12  # refused writes: all attempts of the run have failed, and so has writing that down
Point = tuple[int, bool]  # which call, and whether all later ones fail as well

pytestmark = [
    pytest.mark.skipif(bool(seccomp.unavailable()), reason=seccomp.unavailable()),
    pytest.mark.parametrize("server", ["sqlite"], indirect=True),
]
of_each_command = pytest.mark.parametrize("scenario", [CONNECTING, FULL, REFRESH, ROTATE], ids=str)


@of_each_command
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_write_fails(setting: Setting, scenario: Scenario, error: str, whole: bool, say: Say) -> None:
    failing(setting, scenario, error, is_write, say, whole=whole)


@of_each_command
def test_no_descriptor_is_left(setting: Setting, scenario: Scenario, whole: bool, say: Say) -> None:
    failing(setting, scenario, "EMFILE", takes_a_descriptor, say, whole=whole)


def takes_a_descriptor(call: seccomp.Call) -> bool:
    return call.name in ("openat", "socket")


def failing(
    setting: Setting, scenario: Scenario, error: str, strikes: Callable[[seccomp.Call], bool], say: Say, *, whole: bool
) -> None:
    prepared = prepare(setting, scenario)
    expected = undisturbed(prepared, scenario)
    total = _count(prepared, scenario, strikes)

    def fail(scene: Scene, point: Point) -> bool:
        refuse = Refusing(getattr(errno, error), strikes, *point)
        ended = watched(scene, scenario.words, refuse)
        assert ended.code in KNOWN_ENDS, ended
        assert not any(trace in ended.err for trace in TRACES), ended
        if ended.code == 0 and scenario.words == RUN_NOW:
            assert end(scene) == expected, "it claimed a success that isn't there"
        wait_out(scene)
        return refuse.struck > 0

    every: Iterable[Point] = product(points(total, whole=whole, step=83), [False, True])
    done = each(prepared, scenario, expected, fail, every)
    say(f"{error} at SQLite's files, {scenario}: {done} of {total * 2} points")


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_daemon_whose_disk_is_full_for_a_while_heals_by_itself(
    setting: Setting, error: str, whole: bool, say: Say
) -> None:
    prepared = prepare(setting, FULL)
    expected = undisturbed(prepared, FULL)
    healed = []
    for nth in range(60, 160, 2 if whole else 49):  # the daemon is up by then, and the run under way
        scene = prepared.anew()
        healed.append(healing_seconds(scene, Refusing(getattr(errno, error), is_write, nth, lasting=True)))
        look(scene)
        assert end(scene) == expected
    say(
        f"{error} until a daemon despairs: {len(healed)} points, each healed within {max(healed):.1f} s of the end of it"
    )


def healing_seconds(scene: Scene, refuse: Refusing) -> float:
    """From the moment when the disk works again until the run has succeeded."""
    daemon = scene.start("daemon", watched=True)
    assert daemon.watch
    with seccomp.watching(daemon.watch, lambda call: refuse(call, daemon)):
        try:
            wait_until(lambda: refuse.struck >= DESPAIR or _succeeded(scene))
            refuse.over = True
            since = time.monotonic()
            wait_until(lambda: _succeeded(scene), seconds=70)
            seconds = time.monotonic() - since
            daemon.kill(signal.SIGTERM)
            assert daemon.wait(10).code == 0
        finally:
            daemon.kill()
    return seconds


def _succeeded(scene: Scene) -> bool:
    with scene.database() as db:
        return rows(db, "SELECT status FROM sync_runs") == [("succeeded",)]


class Refusing:
    """The `nth` call that `strikes` fails with `error`; `lasting`: and so do all later ones."""

    def __init__(self, error: int, strikes: Callable[[seccomp.Call], bool], nth: int, lasting: bool) -> None:
        self._error = error
        self._strikes = strikes
        self._left = nth
        self._lasting = lasting
        self.struck = 0
        self.over = False

    def __call__(self, call: seccomp.Call, _process: Launched) -> int:
        if self.over or not self._strikes(call):
            return 0
        self._left -= 1
        if self._left == 0 or (self._lasting and self._left < 0):
            self.struck += 1
            return self._error
        return 0


def _count(prepared: Prepared, scenario: Scenario, strikes: Callable[[seccomp.Call], bool]) -> int:
    never = Refusing(0, strikes, 0, lasting=True)
    assert watched(prepared.anew(), scenario.words, never).code == 0
    return never.struck
