"""kill -9 before and after every message to PostgreSQL, and every reply to COMMIT lost on its way."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.launcher import Launched
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, points, prepare, undisturbed
from tests.proof.pg_proxy import Proxy
from tests.proof.scenarios import ALL, Scenario, wait_out
from tests.proof.stage import Prepared, Scene

SCENARIOS = [replace(scenario, people=min(scenario.people, 8)) for scenario in ALL]
SLICE = 61  # odd, so that before and after take turns; there are many more points than the bar asks for

pytestmark = pytest.mark.parametrize("server", ["postgresql"], indirect=True)


@contextmanager
def proxied(setting: Setting) -> Iterator[Proxy]:
    """A proxy in a folder of its own: the names of sockets must be short."""
    assert setting.server
    folder = Path(tempfile.mkdtemp(prefix="wire-"))
    try:
        with Proxy(folder, setting.server.folder) as proxy:
            yield proxy
    finally:
        shutil.rmtree(folder)


def carried_out(scene: Scene, scenario: Scenario, proxy: Proxy) -> Launched:
    return scene.start(*scenario.words, url=proxy.url(scene.url))


def counted(setting: Setting, prepared: Prepared, scenario: Scenario) -> tuple[int, int]:
    """How many messages and how many commits the command takes when nobody disturbs it."""
    scene = prepared.anew()
    with proxied(setting) as proxy:
        assert scene.finish(scenario.words, carried_out(scene, scenario, proxy)).code == 0
    return proxy.messages, proxy.commits


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_process_killed_before_or_after_any_message(
    setting: Setting, scenario: Scenario, whole: bool, say: Say
) -> None:
    prepared = prepare(setting, scenario, SYNC__PAGE_SIZE="3")
    expected = undisturbed(prepared, scenario)
    messages, _ = counted(setting, prepared, scenario)

    def kill(scene: Scene, point: int) -> bool:
        number, is_after = divmod(point + 1, 2)
        victim: SimpleQueue[Launched] = SimpleQueue()

        def strike(passing: int) -> bool:
            if passing == number:
                victim.get(timeout=20).kill()
            return passing >= number

        with proxied(setting) as proxy:
            setattr(proxy, "after" if is_after else "before", strike)
            launched = carried_out(scene, scenario, proxy)
            victim.put(launched)
            return scene.finish(scenario.words, launched).code == -9

    done = each(prepared, scenario, expected, kill, points(2 * messages, whole=whole, step=SLICE))
    say(f"kill -9 at PostgreSQL's messages, {scenario}: {done} of {2 * messages} points")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_the_reply_to_any_commit_is_lost(setting: Setting, scenario: Scenario, whole: bool, say: Say) -> None:
    prepared = prepare(setting, scenario, SYNC__PAGE_SIZE="3")
    expected = undisturbed(prepared, scenario)
    _, commits = counted(setting, prepared, scenario)

    def lose(scene: Scene, number: int) -> bool:
        with proxied(setting) as proxy:
            proxy.lost_commit = number
            ended = scene.finish(scenario.words, carried_out(scene, scenario, proxy))
        assert "error: unexpected" not in ended.err, ended
        assert "Traceback" not in ended.err, ended
        wait_out(scene)
        return proxy.commits >= number

    done = each(prepared, scenario, expected, lose, points(commits, whole=whole, step=2))
    say(f"replies to COMMIT lost, {scenario}: {done} of {commits} points")
