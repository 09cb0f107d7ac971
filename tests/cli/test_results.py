"""How runs came out: the exit code, and what to do next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contacts_sync.cli.results import Result, report
from contacts_sync.errors import GrantRejected
from contacts_sync.model import Pause, Run, RunStatus
from tests.cli.test_notes import LATER, NOW, run

GRANT = run(RunStatus.FAILED, error_type="ScopeMissing", error_message="no permission")
BROKEN = run(RunStatus.FAILED, error_type="PassingTrouble", error_message="503")
DONE = run(RunStatus.SUCCEEDED)
LATE = run(RunStatus.QUEUED, not_before=LATER, deferred_since=NOW)
PAUSE = Pause("OperatorTrouble", "People API is off", "enable it", NOW, LATER)


def result(*runs: Run, **more: Any) -> Result:
    plain = {"needy": [], "gone": 0, "pause": None, "waited": True}
    return Result(runs, **{**plain, **more})


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (result(DONE), 0),
        (result(), 0),
        (result(DONE, BROKEN), 1),
        (result(DONE, GRANT), 4),
        (result(GRANT, BROKEN), 1),
        (result(DONE, needy=["bob"]), 4),
        (result(BROKEN, needy=["bob"]), 1),
        (result(run(RunStatus.CANCELLED)), 1),
        (result(DONE, gone=1), 1),
        (result(DONE, LATE), 75),
        (result(BROKEN, LATE), 1),
        (result(LATE, needy=["bob"]), 4),
        (result(LATE, pause=PAUSE), 1),
        (result(LATE, waited=False), 0),
        (result(LATE, waited=False, needy=["bob"]), 4),
    ],
)
def test_the_exit_code_tells_the_worst_that_waiting_cannot_heal(outcome: Result, code: int) -> None:
    assert report(outcome, as_json=True) == code
    assert report(outcome, as_json=False) == code


def test_nothing_but_missing_consents_is_the_error_itself() -> None:
    with pytest.raises(GrantRejected, match="alice, bob"):
        report(result(needy=["alice", "bob"]), as_json=True)


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        (result(GRANT), "(next: contacts-sync connect alice)"),
        (result(BROKEN), "(next: contacts-sync runs show 7)"),
        (result(run(RunStatus.FAILED, error_type="MassDeletion")), "contacts-sync runs approve 7)"),
        (result(LATE), "goes on at 2026-03-01T02:05:00Z"),
        (result(BROKEN, LATE), "goes on at 2026-03-01T02:05:00Z"),
        (result(LATE, needy=["bob"]), "goes on at 2026-03-01T02:05:00Z"),
        (result(DONE, needy=["bob"]), "error: the user must consent again: bob (next: contacts-sync connect bob)"),
        (result(LATE, pause=PAUSE), "error: People API is off (next: enable it)"),
    ],
)
def test_each_trouble_comes_with_what_to_do(outcome: Result, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    report(outcome, as_json=False)
    assert hint in capsys.readouterr().err


def test_json_has_the_runs_and_why_they_have_not_ended(capsys: pytest.CaptureFixture[str]) -> None:
    report(result(DONE, LATE), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in document["runs"]] == ["succeeded", "queued"]
    assert document["error"]["type"] == "RunDeferred"


def test_json_says_why_the_exit_code_is_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    report(result(DONE, needy=["bob"]), as_json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["type"], error["exit_code"]) == ("GrantRejected", 4)


def test_very_many_failures_are_not_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    report(result(*[BROKEN] * 500), as_json=True)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21
    assert "500 runs failed in all" in said[-1]
