"""What the dead man's switch is told, agreed upon by several daemons."""

from __future__ import annotations

from datetime import timedelta

from contacts_sync.model import Ping, Step
from contacts_sync.store import pings, runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.health import Deadline, Yardstick
from tests.store.given import MINUTE, NOW, claimed, connected, queued
from tests.store.test_health import NIGHTLY, succeeded

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SLOTS = Yardstick(NIGHTLY, [Deadline(NIGHTLY, NOW)], NOW, NOW)


def latest(db: Database) -> Ping:
    with read(db) as tx:
        found = pings.latest(tx)
    assert found is not None
    return found


def test_one_of_several_begins_a_round_and_one_finishes_it(db: Database) -> None:
    with write(db) as tx:
        assert pings.latest(tx) is None
        assert [pings.begin(tx, None, NOW, "begun", NOW) for _ in "ab"] == [True, False]
        before = pings.latest(tx)
        assert [pings.begin(tx, before, NOW + DAY, "begun", NOW + DAY) for _ in "ab"] == [True, False]
    begun = latest(db)
    assert (begun.round_at, begun.step, begun.attempts) == (NOW + DAY, Step.START, 0)
    with write(db) as tx:
        assert [pings.finish(tx, begun, Step.FAIL, "2 late", NOW + DAY) for _ in "ab"] == [True, False]
    assert (latest(db).step, latest(db).summary) == (Step.FAIL, "2 late")


def test_what_is_to_be_told_is_taken_by_one_for_a_while(db: Database) -> None:
    with write(db) as tx:
        pings.begin(tx, None, NOW, "begun", NOW)
        assert [(taken := pings.take(tx, NOW, MINUTE)) and taken.attempts for _ in "ab"] == [1, None]
        again = pings.take(tx, NOW + MINUTE, MINUTE)
        assert again is not None
        assert again.attempts == 2
        pings.delivered(tx, again, NOW + MINUTE)
        assert pings.take(tx, NOW + HOUR, MINUTE) is None
    assert latest(db).delivered_at == NOW + MINUTE


def test_what_could_not_be_told_is_tried_again_later_and_says_why(db: Database) -> None:
    with write(db) as tx:
        pings.begin(tx, None, NOW, "begun", NOW)
        taken = pings.take(tx, NOW, MINUTE)
        assert taken is not None
        pings.failed(tx, taken, "answered 404", NOW + 2 * MINUTE)
        assert pings.take(tx, NOW + MINUTE, MINUTE) is None
    assert latest(db).trouble == "answered 404"
    with write(db) as tx:
        assert pings.finish(tx, taken, Step.SUCCESS, "", NOW + MINUTE)  # nobody tells of the beginning just now
        assert pings.take(tx, NOW + MINUTE, MINUTE)


def test_a_round_is_not_told_to_be_over_while_somebody_tells_that_it_begins(db: Database) -> None:
    with write(db) as tx:
        pings.begin(tx, None, NOW, "begun", NOW)
        begun = pings.take(tx, NOW, MINUTE)
        assert begun is not None
        assert not pings.finish(tx, begun, Step.SUCCESS, "", NOW)
        assert pings.finish(tx, begun, Step.SUCCESS, "", NOW + MINUTE)
        pings.delivered(tx, begun, NOW + MINUTE)  # too late: another word is to be told now
    assert latest(db).delivered_at is None


def unsettled(db: Database) -> int:
    with read(db) as tx:
        return pings.unsettled(tx, SLOTS)


def test_a_user_is_awaited_from_the_slot_to_the_end_of_its_run(db: Database) -> None:
    connected(db, "alice", now=NOW - DAY)
    succeeded(db, "alice", at=NOW - HOUR)
    assert unsettled(db) == 1
    queued(db, "alice", NOW + MINUTE)
    assert unsettled(db) == 1
    (run,) = claimed(db, now=NOW + MINUTE)
    assert unsettled(db) == 1
    with write(db) as tx:
        runs.fail(tx, run, "w1", NOW + MINUTE, error_type="X", message="no luck", traceback=None)
    assert unsettled(db) == 0


def test_who_succeeded_since_or_owes_nothing_is_not_awaited(db: Database) -> None:
    connected(db, "alice", now=NOW - DAY)
    succeeded(db, "alice", at=NOW)
    connected(db, "bob", now=NOW + MINUTE)
    assert unsettled(db) == 0
