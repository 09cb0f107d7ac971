"""kill -9 at four stages of every exchange with Google: nothing is lost, nothing doubled, the next run heals."""

from __future__ import annotations

from itertools import product
from queue import SimpleQueue

import pytest

from contacts_sync.sandbox import faults
from contacts_sync.sandbox.faults import Stage
from tests.launcher import Launched
from tests.proof.conftest import Say
from tests.proof.enumerating import Setting, each, exchanges_of, prepare, undisturbed
from tests.proof.scenarios import CONNECTING, REFRESH, TEN_PAGES, Scenario
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
