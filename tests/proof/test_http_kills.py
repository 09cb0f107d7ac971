"""kill -9 at four stages of every exchange with Google: nothing is lost, nothing doubled, the next run heals."""

from __future__ import annotations

from itertools import product
from queue import SimpleQueue

import pytest

from contacts_sync.sandbox import faults
from contacts_sync.sandbox.faults import Stage
from tests.inside import rows
from tests.launcher import Launched
from tests.operating import wait_until
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, exchanges_of, prepare, undisturbed
from tests.proof.scenarios import CONNECT, CONNECTING, FULL, REFRESH, RUN_NOW, TEN_PAGES, Scenario
from tests.proof.stage import Scene


@pytest.mark.parametrize("scenario", [TEN_PAGES, CONNECTING, REFRESH], ids=str)
def test_a_process_killed_at_any_stage_of_any_exchange(setting: Setting, scenario: Scenario, say: Say) -> None:
    prepared = prepare(setting, scenario)
    expected = undisturbed(prepared, scenario)

    def kill(scene: Scene, point: tuple[int, Stage]) -> bool:
        nth, stage = point
        victim: SimpleQueue[Launched] = SimpleQueue()
        scene.google.faults.add("any", faults.at(stage, lambda: victim.get(timeout=20).kill()), nth=nth)
        launched = scene.start(*scenario.words)
        victim.put(launched)
        ended = scene.finish(scenario.words, launched)
        assert ended.code == -9 or (stage is Stage.END and ended.code == 0), ended
        return True

    exchanges = exchanges_of(prepared, scenario)
    done = each(prepared, scenario, expected, kill, product(range(1, exchanges + 1), Stage))
    say(f"kill -9 at HTTP stages, {scenario}, {setting.database}: {done} of {exchanges * 4} points")


def killed_as_its_new_token_comes(scene: Scene) -> None:
    victim: SimpleQueue[Launched] = SimpleQueue()
    scene.google.faults.add("token", faults.at(Stage.BODY, lambda: victim.get(timeout=20).kill()))
    launched = scene.start(*RUN_NOW)
    victim.put(launched)
    assert launched.wait().code == -9


def test_a_rotated_refresh_token_that_dies_with_the_process_is_told_once_and_healed_by_a_consent(
    setting: Setting,
) -> None:
    """P4."""
    scene = prepare(setting, REFRESH).anew()
    scene.google.world.grants.rotate_refresh_tokens = True
    killed_as_its_new_token_comes(scene)
    asked = scene.google.count("token")
    refused = scene.run(*RUN_NOW, code=4)
    assert "invalid_grant" in refused.err
    assert "contacts-sync connect alice" in refused.err
    assert "contacts-sync connect alice" in scene.run(*RUN_NOW, code=4).err
    assert scene.google.count("token") == asked + 1
    with scene.database() as db:
        assert rows(db, "SELECT status FROM connections") == [("needs_reauth",)]
        assert rows(db, "SELECT status, error_type FROM sync_runs ORDER BY id")[1:] == [("failed", "GrantRejected")]
    scene.run(*CONNECT)
    scene.run(*RUN_NOW)


def killed_in_its_back_off(scene: Scene, nth: int) -> None:
    launched = scene.start("--log-level", "warning", *RUN_NOW)
    try:
        wait_until(lambda: launched.stderr().count("attempt_failed") == nth or launched.ended.is_set())
    finally:
        launched.kill()
    assert launched.wait().code == -9


def test_a_process_killed_in_its_back_off_has_spent_its_attempts(setting: Setting) -> None:
    """P5."""
    scene = prepare(setting, FULL, SYNC__BACKOFF="1h", SYNC__ATTEMPTS="3").anew()
    scene.google.faults.add("any", faults.internal_error(), times=None)
    for nth in (1, 2):
        killed_in_its_back_off(scene, nth)
    scene.run(*RUN_NOW, code=1)
    with scene.database() as db:
        ended = rows(db, "SELECT status, error_type, attempts, starts FROM sync_runs")
    assert ended == [("failed", "PassingTrouble", 3, 3)]


def test_a_process_killed_in_every_back_off_is_given_up_however_many_attempts_are_left(setting: Setting) -> None:
    """P5."""
    scene = prepare(setting, FULL, SYNC__BACKOFF="1h", SYNC__ATTEMPTS="10").anew()
    scene.google.faults.add("any", faults.internal_error(), times=None)
    for nth in (1, 2, 3):
        killed_in_its_back_off(scene, nth)
    scene.run(*RUN_NOW, code=1)
    with scene.database() as db:
        ended = rows(db, "SELECT status, error_type, attempts, starts FROM sync_runs")
    assert ended == [("failed", "RunAbandoned", 3, 3)]
