"""`contacts-sync schedule preview`: the slots of a span of days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, checked_user_id, json_option, linked, optional_user_argument, pass_frame
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import IntervalSchedule, Schedule
    from contacts_sync.timetable import Slot

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
FARTHEST = timedelta(days=2)  # no wall time is farther than this from the same wall time in UTC


@click.command("preview")
@optional_user_argument
@click.option("--cron", help="A schedule to try, instead of a user's.")
@click.option("--timezone", help="Its time zone; default: the configured one.")
@click.option("--from", "first", required=True, metavar="DATE", help="The first day, in the schedule's zone.")
@click.option("--to", "end", required=True, metavar="DATE", help="The day after the last one.")
@json_option
@pass_frame
def command(
    frame: Frame, user_id: str | None, cron: str | None, timezone: str | None, first: str, end: str, as_json: bool
) -> None:
    """List the slots of a span of days, for USER or for --cron.

    Example: contacts-sync schedule preview alice --from 2026-03-28 --to 2026-03-31
    """
    if (user_id is None) == (cron is None) or (user_id is not None and timezone is not None):
        raise InvalidUsage("give either USER, or --cron and --timezone", hint="contacts-sync schedule preview --help")
    days = _day(first), _day(end)
    if days[0] > days[1]:
        raise InvalidUsage(f"--from {first} is after --to {end}", hint="the day of --to is not included")
    config = frame.config()
    if user_id is None:
        schedule, slots = _given(config, cron, timezone, *days)
    else:
        schedule, slots = _of_user(frame, config, user_id, *days)
    _tell_slots(slots, schedule.timezone, as_json=as_json)


def _day(text: str) -> date:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  (a calendar day of the schedule's zone)
    except ValueError:
        raise InvalidUsage(f"not a date: {text!r}", hint="dates look like 2026-03-28") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidUsage(f"{text} is too far away", hint=f"choose days from {FIRST_DAY} to {LAST_DAY}")
    return day


def _given(
    config: Config, cron: str | None, timezone: str | None, first: date, end: date
) -> tuple[Schedule, list[Slot]]:
    from contacts_sync.model import Schedule

    schedule = Schedule(cron or "", config.schedule.timezone if timezone is None else timezone)
    return schedule, _slots(schedule, first, end)


def _of_user(frame: Frame, config: Config, user_id: str, first: date, end: date) -> tuple[Schedule, list[Slot]]:
    from contacts_sync.cli.timing import default_schedule
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.store import interval_schedules
    from contacts_sync.store.engine import read

    checked_user_id(user_id)
    with frame.store(config) as db, read(db) as tx:
        schedule = effective(linked(tx, user_id), default_schedule(config))
        at_intervals = interval_schedules.get(tx, user_id)
    by_crontab = [] if at_intervals and at_intervals.bounds else _slots(schedule, first, end)
    besides = _at_intervals(at_intervals, schedule.timezone, first, end) if at_intervals else []
    return schedule, sorted(by_crontab + besides, key=lambda slot: slot.at)


def _slots(schedule: Schedule, first: date, end: date) -> list[Slot]:
    """The slots whose nominal day is one of first <= day < end, also where that day has no such hour.

    Raises `InvalidUsage` for a schedule that can't be one.
    """
    from contacts_sync.timetable import compile_schedule

    timetable = compile_schedule(schedule.cron, schedule.timezone)
    begin, stop = (datetime.combine(day, time(), UTC) for day in (first, end))
    around = timetable.between(begin - FARTHEST, stop + FARTHEST)
    return [slot for slot in around if first <= slot.local.date() < end]


def _at_intervals(at_intervals: IntervalSchedule, timezone: str, first: date, end: date) -> list[Slot]:
    """The slots of the zone's days first <= day < end that come at the present interval."""
    from zoneinfo import ZoneInfo

    from contacts_sync.intervals import coming, slot

    begin, stop = (datetime.combine(day, time(), ZoneInfo(timezone)) for day in (first, end))
    return [slot(at) for at in coming(at_intervals, begin, stop)]


def _tell_slots(slots: Sequence[Slot], timezone: str, *, as_json: bool) -> None:
    from contacts_sync.cli.output import instant, print_json, print_table
    from contacts_sync.cli.timing import in_zone

    if as_json:
        shown = [{"slot": slot.local.isoformat(timespec="minutes"), "at": instant(slot.at)} for slot in slots]
        print_json({"slots": shown})
        return
    columns = ("slot", "runs at (UTC)", "runs at (local)")
    print_table(columns, [(slot.label, slot.at, in_zone(slot.at, timezone)) for slot in slots])
