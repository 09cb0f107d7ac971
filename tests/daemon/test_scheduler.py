"""APScheduler as a clock: the right slots, nothing dropped, jobs as the store wants them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.daemon.reconcile import Reconciliation
from contacts_sync.daemon.scheduler import Scheduler, SlotTrigger
from contacts_sync.timetable import compile_schedule
from tests.operating import wait_until

NIGHTLY = compile_schedule("0 2 * * *", "Europe/Berlin")
HOURLY = compile_schedule("0 * * * *", "UTC")
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(st.lists(moments, min_size=1, max_size=5))
def test_a_shared_trigger_remembers_nothing_wrong(asked: list[datetime]) -> None:
    shared = SlotTrigger(NIGHTLY)
    for moment in asked:
        for instant in (moment, moment + timedelta(minutes=1), moment - timedelta(days=1)):
            assert shared.get_next_fire_time(None, instant) == NIGHTLY.next_after(instant).at


def test_years_that_go_by_at_once_are_one_firing() -> None:
    trigger, then = SlotTrigger(compile_schedule("* * * * *", "UTC")), datetime(1970, 1, 1, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, then)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert trigger.get_next_fire_time(first, now) == now + timedelta(minutes=1)


def test_a_clock_that_is_set_back_and_forth_while_all_is_planned_anew_misses_no_slot() -> None:
    fired: SimpleQueue[str] = SimpleQueue()
    scheduler = Scheduler(fired)
    with freeze_time("2026-11-23T20:00:10", tick=False) as clock:
        scheduler.carry_out(Reconciliation({"alice": HOURLY}, {}, frozenset()))
        scheduler.start()
        noticed = datetime(2026, 11, 23, 11, 59, tzinfo=UTC)
        clock.move_to("2026-11-23T12:00:10")
        scheduler.plan_anew(noticed)
        wait_until(lambda: fired.qsize() == 1)
        scheduler.stop()


def test_users_are_added_replaced_and_removed() -> None:
    scheduler = Scheduler(SimpleQueue())
    scheduler.carry_out(Reconciliation({"a": NIGHTLY, "b": NIGHTLY}, {}, frozenset()))
    scheduler.carry_out(Reconciliation({}, {"b": HOURLY}, frozenset({"a"})))
    assert scheduler.present == {"b": HOURLY}


def test_five_hundred_users_due_in_the_same_second_all_fire() -> None:
    fired: SimpleQueue[str] = SimpleQueue()
    scheduler = Scheduler(fired)
    with freeze_time("2026-11-23T11:59:59", tick=False) as clock:
        scheduler.carry_out(Reconciliation({f"u{n}": HOURLY for n in range(500)}, {}, frozenset()))
        scheduler.start()
        clock.move_to("2026-11-23T12:00:05")
        scheduler.look_again()
        wait_until(lambda: fired.qsize() == 500)
        scheduler.stop()
    assert {fired.get() for _ in range(500)} == {f"u{n}" for n in range(500)}
