"""Users who are due at intervals, as both databases keep them."""

from __future__ import annotations

from datetime import timedelta

from contacts_sync.intervals import queued as queued_for
from contacts_sync.model import (
    Account,
    Bounds,
    ConnectionStatus,
    Counters,
    IntervalSchedule,
    OwnSchedule,
    RunKind,
    Trigger,
)
from contacts_sync.store import connections, interval_schedules, runs
from contacts_sync.store.engine import Database, read, write
from tests.store.given import LEASE, MINUTE, NOW, claimed, connected

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ADAPTIVE = OwnSchedule(timezone="Europe/Berlin", bounds=Bounds(HOUR, 2 * DAY))


def given(db: Database, *users: str, own: OwnSchedule = ADAPTIVE) -> None:
    connected(db, *users)
    with write(db) as tx:
        for user in users:
            connections.set_schedule(tx, user, own, now=NOW)


def of(db: Database, user: str = "alice") -> IntervalSchedule | None:
    with read(db) as tx:
        return interval_schedules.get(tx, user)


def mine(db: Database, user: str = "alice") -> IntervalSchedule:
    found = of(db, user)
    assert found is not None
    return found


def ran(db: Database, *, changes: int, trigger: Trigger = Trigger.SCHEDULE, slot: str | None = "a slot") -> None:
    """A run of alice's that succeeds within a minute."""
    at = NOW + MINUTE
    with write(db) as tx:
        runs.enqueue(tx, user_id="alice", kind=RunKind.INCREMENTAL, trigger=trigger, now=NOW, slot=slot)
    (run,) = claimed(db, now=NOW)
    with write(db) as tx:
        runs.hold(tx, run, "w1", at, LEASE, Counters(contacts_updated=changes))
        runs.succeed(tx, run, "w1", at, contacts_sync_token="c", groups_sync_token="g", fingerprint="f")


def connect(db: Database, *, onboarding: bool = False) -> None:
    account = Account("sub-alice", "alice@example.com")
    with write(db) as tx:
        connections.connect(
            tx, user_id="alice", account=account, sealed="s", schedule=None, now=NOW, onboarding=onboarding
        )


def test_bounds_are_part_of_the_own_schedule_until_it_is_another(db: Database) -> None:
    given(db, "alice")
    with read(db) as tx:
        assert connections.own_schedule(tx, "alice") == ADAPTIVE
        assert interval_schedules.users(tx) == {"alice"}
        assert interval_schedules.every(tx) == {"alice": mine(db)}
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule("0 5 * * *"), now=NOW)
    assert of(db) is None


def test_a_quiet_run_lengthens_the_interval_and_changes_shorten_it(db: Database) -> None:
    given(db, "alice")
    ran(db, changes=0)
    assert (mine(db).interval, mine(db).quiet_runs) == (36 * HOUR, 1)
    ran(db, changes=3, slot="another slot")
    assert (mine(db).interval, mine(db).quiet_runs) == (18 * HOUR, 0)


def test_the_first_sync_after_a_connect_and_a_quiet_manual_run_teach_nothing(db: Database) -> None:
    given(db, "alice")
    ran(db, changes=500, trigger=Trigger.CONNECT, slot=None)
    ran(db, changes=0, trigger=Trigger.MANUAL, slot=None)
    assert (mine(db).interval, mine(db).quiet_runs) == (DAY, 0)


def test_who_is_due_is_asked_of_the_store_and_moves_on_once(db: Database) -> None:
    given(db, "alice", "bob")
    later = NOW + 2 * DAY
    with read(db) as tx:
        assert interval_schedules.due(tx, NOW, 10) == []
        assert interval_schedules.next_at(tx) == min(
            mine(db).next_slot_at or later, mine(db, "bob").next_slot_at or later
        )
        due = interval_schedules.due(tx, later, 10)
    assert {one.user_id for one in due} == {"alice", "bob"}
    moves = [(one, queued_for(one, later)[1]) for one in due]
    stale = [(one, queued_for(one, later + 9 * DAY)[1]) for one in due]
    with write(db) as tx:
        interval_schedules.move_on(tx, moves)
        interval_schedules.move_on(tx, stale)
    assert [mine(db, after.user_id) for _, after in moves] == [after for _, after in moves]


def test_nobody_is_due_without_consent_and_connecting_again_begins_anew(db: Database) -> None:
    given(db, "alice")
    with write(db) as tx:
        connections.needs_reauth(tx, "alice", "revoked")
    assert (mine(db).next_slot_at, mine(db).owed_since) == (None, None)
    with write(db) as tx:
        connections.set_schedule(tx, "alice", ADAPTIVE, now=NOW)
    assert mine(db).next_slot_at is None
    connect(db)
    assert mine(db).next_slot_at is not None
    assert mine(db).bounds == ADAPTIVE.bounds


def test_a_disconnect_takes_the_schedule_away(db: Database) -> None:
    given(db, "alice")
    with write(db) as tx:
        connections.disconnect(tx, "alice", NOW)
    assert of(db) is None
    connect(db)
    assert of(db) is None


def test_a_new_user_is_due_hourly_for_a_day_if_onboarding_is_on_and_a_known_one_is_not(db: Database) -> None:
    connect(db, onboarding=True)
    assert mine(db).hourly_until == NOW + DAY
    assert mine(db).bounds is None
    with write(db) as tx:
        connections.set_schedule(tx, "alice", ADAPTIVE, now=NOW)
    assert mine(db).hourly_until == NOW + DAY
    with write(db) as tx:
        interval_schedules.move_on(tx, [(mine(db), queued_for(mine(db), NOW + 2 * DAY)[1])])
        connections.needs_reauth(tx, "alice", "revoked")
    connect(db, onboarding=True)
    assert mine(db).hourly_until in (None, NOW + DAY)
    with read(db) as tx:
        connection = connections.get(tx, "alice")
    assert connection is not None
    assert connection.status is ConnectionStatus.CONNECTED


def test_after_the_first_day_crontab_goes_on_alone(db: Database) -> None:
    connect(db, onboarding=True)
    with write(db) as tx:
        interval_schedules.move_on(tx, [(mine(db), queued_for(mine(db), NOW + 2 * DAY)[1])])
    assert of(db) is None


def test_a_latest_slot_that_lies_ahead_is_found(db: Database) -> None:
    given(db, "alice")
    with read(db) as tx:
        assert interval_schedules.ahead(tx, NOW) == []
        assert interval_schedules.ahead(tx, NOW - 2 * DAY) == [mine(db)]
