"""When the run for a slot may begin, and that none falls between two looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

import pytest

from contacts_sync.config import Schedule
from contacts_sync.daemon.planner import Planner, place_of
from contacts_sync.daemon.scheduler import Scheduler
from contacts_sync.model import OwnSchedule
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, write
from contacts_sync.timetable import compile_schedule, spread_offset
from tests.inside import rows
from tests.store.given import connected

NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC)
SLOT = compile_schedule("0 2 * * *", "UTC").next_after(NIGHT - timedelta(minutes=1))
HOUR = timedelta(hours=1)


def test_a_run_has_its_users_place_in_the_window() -> None:
    assert place_of("alice", SLOT, HOUR, NIGHT) == NIGHT + spread_offset("alice", HOUR)
    assert place_of("alice", SLOT, timedelta(0), NIGHT) == NIGHT


def test_a_herd_that_comes_late_is_spread_from_then_on() -> None:
    morning = NIGHT + 8 * HOUR
    assert place_of("alice", SLOT, HOUR, morning) == morning + spread_offset("alice", HOUR)


def test_without_a_window_the_oldest_slot_comes_first_however_late() -> None:
    assert place_of("alice", SLOT, timedelta(0), NIGHT + 8 * HOUR) == NIGHT


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("changed", "slots"), [(NIGHT - SECOND, [(SLOT.label,)]), (NIGHT + SECOND / 2, [])])
def test_a_slot_between_a_change_of_schedule_and_its_notice_is_not_missed(
    db: Database, changed: datetime, slots: list[tuple[str]]
) -> None:
    connected(db, "alice", now=NIGHT - HOUR)
    planner = Planner(
        db, Schedule("0 12 * * *", "UTC", timedelta(0), catch_up=False, onboarding=False), Scheduler(SimpleQueue())
    )
    planner.refresh(NIGHT - HOUR)
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule("0 2 * * *", "UTC"), now=changed)
    planner.refresh(NIGHT + SECOND)
    planner.queue_fired(NIGHT + SECOND)
    assert rows(db, "SELECT slot FROM sync_runs") == slots
