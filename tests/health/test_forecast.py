from __future__ import annotations

from datetime import timedelta

from contacts_sync import config
from contacts_sync.health.forecast import Forecast, forecast, hours, requests_a_run
from contacts_sync.health.load import MINUTE, Minute
from contacts_sync.model import Bounds, OwnSchedule
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, read, write
from tests.health.given import HOUR, NOW
from tests.store.given import connected

SETTINGS = config.load(None, environ={})


def minutes(*runs: int) -> list[Minute]:
    """Hours with these runs each, all in the tenth minute."""
    return [Minute(NOW + n * MINUTE, runs[n // 60] if n % 60 == 10 else 0) for n in range(60 * len(runs))]


def ahead(db: Database, hours: int) -> Forecast:
    with read(db) as tx:
        return forecast(tx, SETTINGS.schedule, SETTINGS.sync, NOW, timedelta(hours=hours))


def test_an_hour_that_asks_more_than_its_quota_carries_the_rest_over() -> None:
    found = list(hours(minutes(0, 400, 0, 0), 2.0, 5))
    assert [one.requests for one in found] == [0, 800, 0, 0]
    assert [one.carried for one in found] == [0, 500, 200, 0]
    assert [one.holds for one in found] == [True, False, False, True]
    assert (found[1].peak_runs, found[1].peak_requests) == (400, 800)


def test_without_a_limit_of_our_own_every_hour_holds() -> None:
    assert all(one.holds for one in hours(minutes(10**6), 2.0, 0))


def test_full_syncs_are_spread_over_the_runs_of_their_days() -> None:
    assert requests_a_run([], runs_a_day=1) == 2
    assert requests_a_run([1, 1], runs_a_day=1) == 2
    assert 2 < requests_a_run([11], runs_a_day=4) < requests_a_run([11], runs_a_day=1) < 12
    assert requests_a_run([11], runs_a_day=0.01) == 12


def test_everybodys_slots_are_counted_in_their_hours(db: Database) -> None:
    connected(db, "alice", "bob", "cyd", now=NOW)
    with write(db) as tx:
        own = OwnSchedule(bounds=Bounds(5 * HOUR, 5 * HOUR))
        connections.set_schedule(tx, "cyd", own, now=NOW)
    found = ahead(db, 24)
    assert len(found.hours) == 24
    nightly = next(one for one in found.hours if one.start.hour == 2)
    assert nightly.runs >= 2
    assert sum(one.runs for one in found.hours) in (6, 7)
    assert found.requests_a_run == 2
