"""Wanted jobs against present jobs."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.daemon.reconcile import reconcile, wanted
from contacts_sync.model import Connection, ConnectionStatus, Schedule
from contacts_sync.timetable import Timetable, compile_schedule

DEFAULT = Schedule("0 2 * * *", "UTC")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def connection(user: str, *, status: str = "connected", cron: str | None = None, zone: str | None = None) -> Connection:
    return Connection(user, "a@example.com", "1", ConnectionStatus(status), cron, zone, NOW, None, None, NOW)


def test_only_connected_users_are_wanted() -> None:
    everyone = [
        connection("a"),
        connection("b", status="needs_reauth"),
        connection("c", status="disconnected"),
        connection("d"),
    ]
    assert set(wanted(everyone, DEFAULT).timetables) == {"a", "d"}


def test_a_broken_schedule_is_told_and_stops_nobody() -> None:
    plan = wanted([connection("a", cron="99 * * * *"), connection("b"), connection("c", zone="Asia/Tokyo")], DEFAULT)
    assert (set(plan.timetables), set(plan.broken)) == ({"b", "c"}, {"a"})
    assert "99" in plan.broken["a"]


def test_a_zone_that_has_vanished_is_told_and_utc_holds_instead() -> None:
    plan = wanted([connection("a", zone="Mars/Olympus")], DEFAULT)
    assert plan.timetables["a"].timezone == "UTC"
    assert "Mars/Olympus" in plan.broken["a"]


def test_users_with_the_same_schedule_share_one_timetable() -> None:
    plan = wanted([connection("a"), connection("b", cron="0 2 * * *")], DEFAULT)
    assert plan.timetables["a"] is plan.timetables["b"]


tables = st.sampled_from([compile_schedule(f"0 {hour} * * *", "UTC") for hour in range(3)])
jobs = st.dictionaries(st.sampled_from("abcde"), tables)


@given(jobs, jobs)
def test_carrying_out_the_answer_gives_just_the_wanted_jobs(
    want: dict[str, Timetable], have: dict[str, Timetable]
) -> None:
    todo = reconcile(want, have)
    result = {user: table for user, table in have.items() if user not in todo.remove}
    assert not set(todo.add) & set(have)
    assert {**result, **todo.add, **todo.replace} == want


@given(jobs)
def test_nothing_is_done_twice(want: dict[str, Timetable]) -> None:
    todo = reconcile(want, want)
    assert (dict(todo.add), dict(todo.replace), todo.remove) == ({}, {}, frozenset())
