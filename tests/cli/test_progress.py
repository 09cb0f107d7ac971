"""Progress of runs, where there is no terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contacts_sync.cli.progress import progress
from contacts_sync.model import Counters, RunStatus
from tests.cli.test_notes import run

RUNNING = replace(run(RunStatus.RUNNING), counters=Counters(contacts_imported=5, contacts_updated=2))


def test_a_plain_line_says_how_far_the_runs_are(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(3, quiet=False) as show:
        show([run(RunStatus.SUCCEEDED), RUNNING, run(RunStatus.QUEUED)])
    assert capsys.readouterr().err == "1 of 3 done, 1 running, 7 contacts written\n"


def test_lines_come_now_and_then_only(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, quiet=False) as show:
        for imported in range(1000):
            show([replace(RUNNING, counters=Counters(contacts_imported=imported))])
    assert len(capsys.readouterr().err.splitlines()) < 5


def test_where_only_results_are_wanted_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, quiet=True) as show:
        show([RUNNING])
    assert capsys.readouterr().err == ""
