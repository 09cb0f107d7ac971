"""Users who are due at intervals get their runs: once a slot, whoever looks, however late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

import pytest
from sqlalchemy import text

from contacts_sync.daemon.planner import Planner
from contacts_sync.daemon.scheduler import Scheduler
from contacts_sync.model import Bounds, IntervalSchedule, OwnSchedule
from contacts_sync.sections import Schedule
from contacts_sync.store import connections, interval_schedules, runs
from contacts_sync.store.engine import Database, read, write
from tests.inside import rows
from tests.store.given import NOW, claimed, connected

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def planner(db: Database, **settings: Any) -> Planner:
    known = {"cron": "0 2 * * *", "timezone": "UTC", "spread": HOUR, "catch_up": True, "onboarding": False, **settings}
    return Planner(db, Schedule(**known), Scheduler(SimpleQueue()))


@pytest.fixture
def alice(db: Database) -> Database:
    connected(db, "alice", "bob")
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule(bounds=Bounds(HOUR, 2 * DAY)), now=NOW)
    return db


def schedule(db: Database) -> IntervalSchedule:
    with read(db) as tx:
        found = interval_schedules.get(tx, "alice")
    assert found is not None
    return found


def due_at(db: Database) -> datetime:
    at = schedule(db).next_slot_at
    assert at is not None
    return at


def runs_of(db: Database) -> list[tuple[str, str]]:
    return [
        (row[0], row[1]) for row in rows(db, "SELECT slot, trigger FROM sync_runs WHERE user_id = 'alice' ORDER BY id")
    ]


def test_a_slot_becomes_a_run_at_its_instant_and_not_before(alice: Database) -> None:
    mine, at = planner(alice), due_at(alice)
    assert mine.queue_due(at - timedelta(seconds=1)) == 0
    assert mine.queue_due(at) == 1
    assert mine.queue_due(at) == 0
    assert runs_of(alice) == [(f"{at:%Y-%m-%dT%H:%M}[UTC]", "schedule")]
    assert due_at(alice) == at + DAY
    assert claimed(alice, now=at, limit=1), "the user's own minute is spread enough"


@pytest.mark.parametrize("nonsense", [-5, 0, 2_000_000_000, "'soon'"])
def test_an_interval_edited_to_nonsense_is_a_day_and_keeps_nobody_waiting(alice: Database, nonsense: object) -> None:
    if alice.path is None and isinstance(nonsense, str):
        pytest.skip("PostgreSQL's columns hold numbers only")
    with write(alice) as tx:
        connections.set_schedule(tx, "bob", OwnSchedule(bounds=Bounds(HOUR, 2 * DAY)), now=NOW)
        tx.execute(text(f"UPDATE interval_schedules SET interval_minutes = {nonsense} WHERE user_id = 'alice'"))
    assert planner(alice).queue_due(NOW + 40 * DAY) == 2
    assert schedule(alice).interval == DAY
    assert NOW + 40 * DAY < due_at(alice) <= NOW + 41 * DAY


def test_two_daemons_that_look_at_once_queue_one_run(alice: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, at = planner(alice), planner(alice), due_at(alice)
    seen = [schedule(alice)]
    monkeypatch.setattr(other, "_due_at_intervals", lambda _now: [seen.pop()] if seen else [])
    assert (one.queue_due(at), other.queue_due(at)) == (1, 0)
    assert len(runs_of(alice)) == 1
    assert due_at(alice) == at + DAY


def test_who_is_due_at_intervals_has_no_crontab_job(alice: Database) -> None:
    mine = planner(alice)
    mine.refresh(NOW)
    assert mine.users == 2
    assert "alice" not in mine._scheduler.present
    with read(alice) as tx:
        assert mine.next_at(tx) is not None


@pytest.mark.parametrize(("catch_up", "queued"), [(True, 1), (False, 0)])
def test_days_down_are_one_run_at_start_if_wanted(alice: Database, catch_up: bool, queued: int) -> None:
    at = due_at(alice)
    back = at + 9 * DAY + HOUR
    mine = planner(alice, catch_up=catch_up)
    mine.start(back)
    mine.stop()
    assert runs_of(alice) == [(f"{at + 9 * DAY:%Y-%m-%dT%H:%M}[UTC]", "catch_up")] * queued
    assert due_at(alice) == at + 10 * DAY


def test_after_a_clock_that_ran_ahead_the_user_is_due_again_soon(alice: Database) -> None:
    mine = planner(alice)
    mine.queue_due(NOW + 900 * DAY)
    mine.plan_anew(NOW)
    assert NOW < due_at(alice) <= NOW + DAY


def test_who_was_deleted_by_sql_has_no_run_and_then_no_job(db: Database) -> None:
    """U18."""
    connected(db, "alice", "bob")
    mine = planner(db)
    mine.refresh(NOW)
    with write(db) as tx:
        tx.execute(text("DELETE FROM connections WHERE user_id = 'alice'"))
    mine._fired.put("alice")
    assert mine.queue_fired(NOW + DAY) == 0
    mine.refresh(NOW + DAY)
    assert mine._scheduler.present.keys() == {"bob"}


def test_who_was_deleted_by_sql_is_no_longer_due_at_intervals(alice: Database) -> None:
    """U18."""
    mine = planner(alice)
    mine.refresh(NOW)
    with write(alice) as tx:
        tx.execute(text("DELETE FROM connections WHERE user_id = 'alice'"))
    assert mine.queue_due(NOW + 3 * DAY) == 0
    mine.refresh(NOW + 3 * DAY)
    assert mine.users == 1


def test_daemons_that_look_while_runs_end_lose_no_slot_and_double_none(db: Database) -> None:
    users = [f"u{number}" for number in range(20)]
    connected(db, *users)
    with write(db) as tx:
        for user in users:
            connections.set_schedule(tx, user, OwnSchedule(bounds=Bounds(HOUR, HOUR)), now=NOW)
    one, other = planner(db), planner(db)
    with ThreadPoolExecutor(3) as pool:
        for hour in range(1, 6):
            now = NOW + hour * HOUR
            created = [pool.submit(mine.queue_due, now) for mine in (one, other)]
            while end_runs(db, now) or not all(look.done() for look in created):
                pass
            assert sum(look.result() for look in created) == len(users)
            end_runs(db, now)
    ((slots, ended),) = rows(
        db, "SELECT count(DISTINCT user_id || slot), count(*) FROM sync_runs WHERE status = 'succeeded'"
    )
    assert (slots, ended) == (5 * len(users), 5 * len(users))


def end_runs(db: Database, now: datetime) -> int:
    """Claim what is due and let it succeed, as workers do."""
    mine = claimed(db, now=now)
    for run in mine:
        with write(db) as tx:
            runs.succeed(tx, run, "w1", now, contacts_sync_token="c", groups_sync_token="g", fingerprint="f")
    return len(mine)
