"""Which hooks a run's end calls, and that nobody waits for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contacts_sync import config
from contacts_sync.alerts import hooks as room
from contacts_sync.alerts.hooks import Hooks
from contacts_sync.errors import ConfigurationError, LeaseLost
from contacts_sync.model import Counters, Outcome, Run, RunKind, RunStatus, Trigger
from tests.operating import wait_until
from tests.store.given import NOW

SECOND = timedelta(seconds=1)
RUN = Run(
    7, "alice", RunKind.FULL, Trigger.MANUAL, RunStatus.SUCCEEDED, None, NOW, 1, 1, NOW, NOW, NOW, Counters(),
    None, None, None, "w1", None, 0, None, 0, None,
)  # fmt: skip
FAILED = replace(RUN, status=RunStatus.FAILED, error_type="PassingTrouble", error_message="no luck")
CHANGED = replace(RUN, counters=Counters(contacts_deleted=1))

Made = Callable[..., Hooks]


@pytest.fixture
def made() -> Iterator[Made]:
    """Hooks with settings of the test's own."""
    opened: list[Hooks] = []

    def make(**settings: str) -> Hooks:
        environ = {f"CONTACTS_SYNC_HOOKS__{name.upper()}": value for name, value in settings.items()}
        opened.append(Hooks(config.load(None, environ=environ).hooks))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def heard(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def everything(made: Made, tmp_path: Path) -> tuple[Hooks, Path]:
    path = tmp_path / "heard"
    listener = f"sh -c 'cat >>{path}'"
    return made(on_failure=listener, on_success=listener, on_change=listener), path


@pytest.mark.parametrize(
    ("run", "events"),
    [
        (RUN, {"success"}),
        (FAILED, {"failure"}),
        (CHANGED, {"success", "change"}),
        (replace(FAILED, counters=Counters(groups_updated=1)), {"failure", "change"}),
        (replace(RUN, status=RunStatus.CANCELLED), set()),
        (replace(CHANGED, status=RunStatus.QUEUED), set()),
    ],
)
def test_each_end_is_told_to_whom_it_concerns(everything: tuple[Hooks, Path], run: Run, events: set[str]) -> None:
    hooks, path = everything
    hooks.tell(run)
    wait_until(lambda: not hooks.busy)
    assert {one["event"] for one in heard(path)} == events


def test_what_is_told_is_the_run_as_runs_show_has_it(everything: tuple[Hooks, Path]) -> None:
    hooks, path = everything
    hooks.tell(FAILED)
    wait_until(lambda: not hooks.busy)
    (told,) = heard(path)
    assert (told["id"], told["user_id"], told["status"], told["error_type"]) == (7, "alice", "failed", "PassingTrouble")
    assert told["finished_at"] == "2026-03-01T02:00:00Z"
    assert "worker_id" not in told


def test_who_has_lost_a_run_says_nothing(everything: tuple[Hooks, Path]) -> None:
    hooks, path = everything
    hooks.ran(Outcome(RUN, LeaseLost("another worker has it")))
    hooks.ran(Outcome(FAILED, ValueError("ours")))
    wait_until(lambda: not hooks.busy)
    assert [one["event"] for one in heard(path)] == ["failure"]


def test_without_a_command_there_is_no_thread(made: Made) -> None:
    hooks = made(on_failure="false")
    hooks.tell(CHANGED)
    assert not hooks.busy
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hook-")]


def test_what_waits_beyond_the_queue_is_dropped_and_counted(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 3)
    hooks = made(on_success="sleep 60")
    for _ in range(5):
        hooks.tell(RUN)
    assert hooks.tally["dropped"] == 2
    hooks.close()
    assert not hooks.busy
    assert hooks.tally.total() == 5
    assert hooks.tally["dropped"] >= 3
    assert hooks.tally["succeeded"] == 0


def test_a_time_limit_a_failure_and_a_missing_program_are_counted(made: Made) -> None:
    hooks = made(on_success="sleep 60", on_failure="false", on_change="/no/such", timeout="200ms")
    hooks.tell(CHANGED)
    hooks.tell(FAILED)
    hooks.finish(20 * SECOND)
    assert hooks.tally == {"timed_out": 1, "failed": 1, "not_started": 1}


def test_finishing_has_an_end(made: Made) -> None:
    hooks = made(on_success="sleep 60")
    hooks.tell(RUN)
    hooks.finish(SECOND / 10)
    assert hooks.tally == {"stopped": 1}


@pytest.mark.parametrize("words", ['"unbalanced', '""'])
def test_what_is_no_command_is_refused(words: str) -> None:
    with pytest.raises(ConfigurationError, match="a list of words"):
        config.load(None, environ={"CONTACTS_SYNC_HOOKS__ON_FAILURE": words})


def test_the_words_are_shown_as_they_would_be_typed(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[hooks]\non_change = ["tell", "the ops"]\n')
    shown = {one.name: one.value for one in config.settings_in_force(file, environ={})}
    assert shown["hooks.on_change"] == "tell 'the ops'"
