"""Signs and workload, as both databases count them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contacts_sync.model import Bounds, OwnSchedule, RunKind, RunStatus, Schedule, Trigger
from contacts_sync.store import connections, health, runs, workload
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.health import Deadline, Sign, Want, Yardstick
from tests.store.given import MINUTE, NOW, claimed, connected, queued

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHTLY = Schedule("0 2 * * *", "UTC")
HOURLY = Schedule("0 * * * *", "Europe/Berlin")


def yardstick(slot_at: datetime | None = NOW - DAY) -> Yardstick:
    return Yardstick(NIGHTLY, [Deadline(NIGHTLY, slot_at), Deadline(HOURLY, NOW)], NOW - 26 * HOUR, NOW - HOUR)


def succeeded(db: Database, *users: str, at: datetime = NOW) -> None:
    for user in users:
        queued(db, user, at)
        (run,) = claimed(db, now=at, limit=1)
        with write(db) as tx:
            runs.succeed(tx, run, "w1", at + MINUTE, contacts_sync_token="c", groups_sync_token="g", fingerprint="f")


def failed(db: Database, *users: str, error: str = "PassingTrouble", message: str = "no luck") -> None:
    for user in users:
        queued(db, user)
        (run,) = claimed(db, limit=1)
        with write(db) as tx:
            runs.fail(tx, run, "w1", NOW + MINUTE, error_type=error, message=message, traceback=None)


def signs(db: Database, by: Yardstick | None = None) -> dict[str, Sign]:
    with read(db) as tx:
        return {user.user_id: user.signs for user in health.page_of_users(tx, by or yardstick(), Want(), limit=100)}


def test_a_new_user_was_never_synced_and_owes_no_earlier_slot(db: Database) -> None:
    connected(db, "alice")
    assert signs(db) == {"alice": Sign.NEVER | Sign.STALE}
    assert signs(db, yardstick(NOW + MINUTE)) == {"alice": Sign.NEVER | Sign.STALE | Sign.OVERDUE}


def test_a_success_after_the_slot_leaves_no_sign_and_one_before_it_does(db: Database) -> None:
    connected(db, "alice", "bob", now=NOW - 9 * DAY)
    succeeded(db, "alice", at=NOW - DAY)
    succeeded(db, "bob", at=NOW - DAY - 2 * MINUTE)
    assert signs(db) == {"alice": Sign(0), "bob": Sign.OVERDUE}
    assert signs(db, Yardstick(NIGHTLY, yardstick().deadlines, NOW - HOUR, NOW - HOUR))["alice"] is Sign.STALE


def test_failures_dead_grants_and_unreadable_schedules_show(db: Database) -> None:
    connected(db, "alice", "bob", "cyd", "dan")
    failed(db, "alice")
    failed(db, "bob", error="MassDeletion")
    with write(db) as tx:
        connections.needs_reauth(tx, "cyd", "revoked")
        connections.set_schedule(tx, "dan", OwnSchedule("nonsense"), now=NOW)
    fresh = Sign.NEVER | Sign.STALE
    assert signs(db) == {
        "alice": fresh | Sign.FAILING,
        "bob": fresh | Sign.FAILING | Sign.PARKED,
        "cyd": fresh | Sign.NEEDS_REAUTH,
        "dan": fresh | Sign.UNSCHEDULED,
    }


def test_a_success_takes_the_failures_sign_away(db: Database) -> None:
    connected(db, "alice")
    failed(db, "alice")
    succeeded(db, "alice")
    assert signs(db) == {"alice": Sign(0)}


def test_a_disconnected_user_is_not_counted(db: Database) -> None:
    connected(db, "alice", "bob")
    with write(db) as tx:
        connections.disconnect(tx, "alice", NOW)
    with read(db) as tx:
        assert [(one.users, one.signs) for one in health.census(tx, yardstick())] == [(1, Sign.NEVER | Sign.STALE)]
        assert health.one_user(tx, yardstick(), "alice") is None


def test_a_schedule_of_ones_own_has_its_own_deadline(db: Database) -> None:
    connected(db, "alice", "bob", now=NOW - DAY)
    with write(db) as tx:
        connections.set_schedule(tx, "bob", OwnSchedule(HOURLY.cron, HOURLY.timezone), now=NOW - DAY)
    succeeded(db, "alice", "bob", at=NOW - HOUR)
    assert signs(db) == {"alice": Sign(0), "bob": Sign.OVERDUE}
    with read(db) as tx:
        assert health.schedules(tx, NIGHTLY) == [(HOURLY, 1), (NIGHTLY, 1)]


def test_a_user_at_intervals_is_late_by_the_own_interval_whatever_crontab_says(db: Database) -> None:
    connected(db, "alice", "bob", now=NOW - 9 * DAY)
    with write(db) as tx:
        for user, hours in (("alice", 2), ("bob", 36)):
            own = OwnSchedule(bounds=Bounds(hours * HOUR, hours * HOUR))
            connections.set_schedule(tx, user, own, now=NOW - 9 * DAY)
    succeeded(db, "alice", "bob", at=NOW - 5 * HOUR)
    assert signs(db, yardstick(NOW - HOUR)) == {"alice": Sign.OVERDUE, "bob": Sign(0)}
    assert signs(db, yardstick(None))["bob"] is Sign(0)
    with read(db) as tx:
        assert health.schedules(tx, NIGHTLY) == []


def test_troubles_are_grouped_by_error_the_largest_first(db: Database) -> None:
    connected(db, "alice", "bob", "cyd", "dan")
    failed(db, "alice")
    failed(db, "bob", "cyd", error="RequestRejected", message="400")
    succeeded(db, "dan")
    with read(db) as tx:
        found = health.troubles(tx, yardstick())
    assert [(one.error_type, one.message, one.users, one.example) for one in found] == [
        ("RequestRejected", "400", 2, "bob"),
        ("PassingTrouble", "no luck", 1, "alice"),
    ]


def test_only_grave_troubles_count_and_they_are_grouped_whatever_they_say(db: Database) -> None:
    connected(db, "alice", "bob", "cyd", "dan", "eve")
    for number in range(3):
        failed(db, "alice", message=f"no luck {number}")
        failed(db, "bob", message="no answer")
    failed(db, "cyd")
    failed(db, "dan", error="MassDeletion")
    with write(db) as tx:
        connections.needs_reauth(tx, "eve", "revoked")
    with read(db) as tx:
        found = health.grave_troubles(tx, yardstick(), failures=3)
        assert sum(one.users for one in health.grave_troubles(tx, yardstick(NOW + MINUTE), failures=3)) == 5
    assert [(one.error_type, one.message, one.users, one.example) for one in found] == [
        (None, "revoked", 1, "eve"),
        ("PassingTrouble", "no answer", 2, "alice"),
        ("MassDeletion", "no luck", 1, "dan"),
    ]


def test_the_most_stale_is_the_one_with_the_oldest_success_or_connecting(db: Database) -> None:
    connected(db, "bob", now=NOW - 2 * DAY)
    connected(db, "alice", now=NOW - 3 * DAY)
    succeeded(db, "alice", at=NOW - DAY)
    with read(db) as tx:
        assert health.most_stale(tx) == ("bob", NOW - 2 * DAY)


def test_pages_of_users_go_both_ways_by_id(db: Database) -> None:
    users = [f"u{number}" for number in range(7)]
    connected(db, *users)
    with read(db) as tx:

        def page(**more: str) -> list[str]:
            return [one.user_id for one in health.page_of_users(tx, yardstick(), Want(), limit=3, **more)]

        assert (page(), page(after="u2"), page(after="u5")) == (users[:3], users[3:6], users[6:])
        assert (page(before="u6"), page(before="u1")) == (users[3:6], users[:1])


@pytest.mark.parametrize(
    ("text", "found"), [("ALI", ["Alice"]), ("example.com", ["100%", "Alice", "bob"]), ("0%", ["100%"]), ("_", [])]
)
def test_a_search_looks_for_plain_text_in_id_and_account(db: Database, text: str, found: list[str]) -> None:
    connected(db, "Alice", "bob", "100%")
    with read(db) as tx:
        users = health.page_of_users(tx, yardstick(), Want(text=text), limit=9)
    assert sorted(one.user_id for one in users) == found


def test_a_filter_takes_users_with_exactly_these_signs(db: Database) -> None:
    connected(db, "alice", "bob")
    succeeded(db, "alice")
    with read(db) as tx:
        (one,) = health.page_of_users(tx, yardstick(), Want(signs=[Sign(0)]), limit=9)
    assert (one.user_id, one.last_success_at) == ("alice", NOW + MINUTE)


def test_ten_thousand_schedules_fit_one_question(db: Database) -> None:
    connected(db, "alice", now=NOW - DAY)
    many = [Deadline(Schedule(f"{n % 60} {n // 60 % 24} * * *", f"Zone/{n}"), NOW - HOUR) for n in range(10_000)]
    assert signs(db, Yardstick(NIGHTLY, [*many, Deadline(NIGHTLY, NOW)], NOW, NOW))["alice"] & Sign.OVERDUE


def test_history_is_paged_from_the_newest(db: Database) -> None:
    connected(db, "alice", "bob")
    for _ in range(3):
        succeeded(db, "alice", "bob")
    with read(db) as tx:
        newest = health.history(tx, "alice", limit=2)
        rest = health.history(tx, "alice", limit=2, before=newest[-1].id)
    assert [len(newest), len(rest)] == [2, 1]
    assert newest[0].id > newest[1].id > rest[0].id
    assert {run.user_id for run in newest + rest} == {"alice"}


def test_the_queue_tells_due_waiting_and_deferred_apart(db: Database) -> None:
    connected(db, "alice", "bob", "cyd", "dan")
    queued(db, "alice")
    (run,) = claimed(db, limit=1)
    with write(db) as tx:
        runs.put_back(tx, run, "w1", NOW, not_before=NOW + HOUR, deferred=True)
    queued(db, "bob", NOW - HOUR, not_before=NOW - 5 * MINUTE)
    queued(db, "cyd", NOW - HOUR, not_before=NOW + 5 * MINUTE)
    queued(db, "dan", NOW - 2 * HOUR)
    claimed(db, limit=1)
    with read(db) as tx:
        assert workload.queue(tx, NOW) == workload.Queue(1, 1, 1, 1, NOW - 5 * MINUTE)
        assert workload.waiting_by_minute(tx, NOW, NOW + HOUR) == {NOW + 5 * MINUTE: 1}


def test_an_empty_queue_has_no_oldest(db: Database) -> None:
    with read(db) as tx:
        assert workload.queue(tx, NOW) == workload.Queue(0, 0, 0, 0, None)
        assert workload.recent(tx, NOW) == workload.Recent(0, 0, 0, 0)


def test_ended_runs_are_counted_by_hour_outcome_and_duration(db: Database) -> None:
    connected(db, "alice", "bob", now=NOW - DAY)
    succeeded(db, "alice", "bob")
    succeeded(db, "alice", at=NOW - HOUR)
    failed(db, "bob")
    with read(db) as tx:
        found = {(one.hour, one.status): (one.duration, one.runs) for one in workload.ended_by_hour(tx, NOW - DAY)}
        assert workload.recent(tx, NOW) == workload.Recent(2, 1, 0, 0)
    a_minute = workload.DURATIONS.index(60.0)
    assert found == {
        (NOW, RunStatus.SUCCEEDED): (a_minute, 2),
        (NOW, RunStatus.FAILED): (a_minute, 1),
        (NOW - HOUR, RunStatus.SUCCEEDED): (a_minute, 1),
    }


def test_a_run_cancelled_before_it_began_has_no_duration(db: Database) -> None:
    connected(db, "alice")
    with write(db) as tx:
        runs.enqueue(tx, user_id="alice", kind=RunKind.FULL, trigger=Trigger.MANUAL, now=NOW)
        runs.cancel(tx, "alice", NOW)
    with read(db) as tx:
        assert [(one.duration, one.runs) for one in workload.ended_by_hour(tx, NOW - HOUR)] == [(0, 1)]
