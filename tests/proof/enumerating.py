"""The loop that all of the proof's crash tests share: disturb, look, go on, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_sync.sandbox import Sandbox
from contacts_sync.store import migrate
from contacts_sync.store.engine import read
from tests.launcher import Ended, Launched, Launcher
from tests.postgres import Server
from tests.proof import seccomp
from tests.proof.audit import findings, summary
from tests.proof.scenarios import Scenario
from tests.proof.stage import Prepared, Scene, quiet


@dataclass(frozen=True, slots=True)
class Setting:
    """What a test has at hand."""

    google: Sandbox
    launcher: Launcher
    folder: Path
    server: Server | None

    @property
    def database(self) -> str:
        return "PostgreSQL" if self.server else "SQLite"


def prepare(setting: Setting, scenario: Scenario, **settings: str) -> Prepared:
    """Set the scene of a scenario, once."""
    home = setting.folder / "home"
    home.mkdir()
    url = setting.server.new_database() if setting.server else f"sqlite:///{home}/store.db"
    scene = Scene(setting.google, setting.launcher, home, url, scenario.people, settings)
    scenario.before(scene)
    return Prepared(scene, setting.server)


def undisturbed(prepared: Prepared, scenario: Scenario) -> dict[str, Any]:
    """The end that every disturbed run must reach as well."""
    scene = prepared.anew()
    ended = scene.finish(scenario.words, scene.start(*scenario.words))
    assert ended.code == 0, ended
    scenario.again(scene)
    return end(scene)


def exchanges_of(prepared: Prepared, scenario: Scenario) -> int:
    """How many requests to Google the command takes when nobody disturbs it."""
    scene = prepared.anew()
    before = len(scene.google.requests)
    assert scene.finish(scenario.words, scene.start(*scenario.words)).code == 0
    return len(scene.google.requests) - before


def end(scene: Scene) -> dict[str, Any]:
    with scene.database() as db:
        assert findings(db, scene.home / "key") == []
        return summary(db)


def watched(scene: Scene, words: tuple[str, ...], decide: Callable[[seccomp.Call, Launched], int | None]) -> Ended:
    """Carry a command out; before each system call that matters `decide` says what becomes of it."""
    launched = scene.start(*words, watched=True)
    assert launched.watch
    with seccomp.watching(launched.watch, lambda call: decide(call, launched)):
        return scene.finish(words, launched)


def look(scene: Scene) -> None:
    """What a killed process left must be a store, in a state that belongs together."""
    quiet(scene.url)
    if not scene.exists():
        return
    with scene.database() as db:
        with read(db) as tx:
            assert migrate.revision_of(tx) in migrate.REVISIONS
        assert findings(db, scene.home / "key") == []


def points(total: int, *, whole: bool, step: int = 5) -> range:
    """1 to `total`; in the quick slice every fifth, or whatever `step` says."""
    return range(1, total + 1, 1 if whole else step)


def each(
    prepared: Prepared,
    scenario: Scenario,
    expected: dict[str, Any],
    disturb: Callable[[Scene, Any], bool],
    every: Iterable[Any],
) -> int:
    """Disturb a fresh scene at each point, look at what is left, go on to the end.

    `disturb` says whether the point was reached; the answer is the number of those that were.
    """
    count = 0
    for point in every:
        scene = prepared.anew()
        try:
            count += disturb(scene, point)
            look(scene)
            scene.google.faults.clear()
            scenario.again(scene)
            assert end(scene) == expected
        except AssertionError as failed:
            failed.add_note(f"{scenario} at point {point}; stderr: {(scene.home / 'stderr.txt').read_text()[-2000:]}")
            raise
    return count
