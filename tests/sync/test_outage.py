from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contacts_sync.model import End, RunStatus
from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.store import nodes, runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.sync.outage import USERS, WITHIN, is_outage
from contacts_sync.sync.run import carry_out
from tests.inside import desk_for, join, now, rows

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
NAMES = [f"user{number}" for number in range(USERS + 2)]


def ends(*errors: str | None, age: timedelta = timedelta(0)) -> list[End]:
    return [End(name, error, NOW - age) for name, error in zip(NAMES, errors, strict=False)]


FAILURES = ("PassingTrouble",) * (USERS - 1)


@pytest.mark.parametrize(
    ("latest", "user", "outage"),
    [
        (ends(*FAILURES), "another", True),
        (ends(*FAILURES), NAMES[0], False),
        (ends(*FAILURES[1:]), "another", False),
        (ends(*FAILURES[1:], None), "another", False),
        (ends(*FAILURES[1:], "GrantRejected"), "another", False),
        (ends(*FAILURES, age=WITHIN * 2), "another", False),
    ],
)
def test_an_outage_is_when_different_users_fail_in_a_row(latest: list[End], user: str, *, outage: bool) -> None:
    assert is_outage(latest, user, NOW) is outage


def test_an_outage_spares_whoever_comes_next_and_ends_with_the_first_success(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        desk = desk_for(google, db, tmp_path)
        for name in NAMES:
            google.world.add_account(f"{name}@example.com")
            join(desk, google, name, f"{name}@example.com")
        google.faults.add("any", faults.unavailable(), times=None)
        with write(db) as tx:
            claimed = runs.claim(tx, worker_id=desk.worker_id, now=now(), lease=desk.lease, limit=100)
        ended = [carry_out(run, desk).run.status for run in claimed]
        assert ended == [RunStatus.FAILED] * (USERS - 1) + [RunStatus.QUEUED] * 3
        with read(db) as tx:
            assert "everybody" in str(nodes.pause(tx))
        google.faults.clear()
        with write(db) as tx:
            nodes.probe_now(tx, now())
            (probe,) = runs.claim(tx, worker_id=desk.worker_id, now=now(), lease=desk.lease, limit=100)
        assert carry_out(probe, desk).run.status is RunStatus.SUCCEEDED
        with read(db) as tx:
            assert nodes.pause(tx) is None
    assert rows(db, "SELECT count(*) FROM sync_runs WHERE status = 'queued'") == [(2,)]
