"""Every IANA zone, every half-hour slot, every change of offset from 2024 to 2030: once a local day, never twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from contacts_sync.daemon.planner import LOOKBACK
from contacts_sync.daemon.scheduler import SlotTrigger
from contacts_sync.timetable import compile_schedule
from tests.proof.conftest import Say

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
HALF_DAY, STEP = timedelta(hours=12), timedelta(minutes=15)
AROUND = timedelta(days=2)
SLOTS = [(hour, minute) for hour in range(24) for minute in (0, 30)]


class Change(NamedTuple):
    """An instant at which a zone's offset changes."""

    at: datetime
    before: timedelta
    after: timedelta


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def changes(zone: ZoneInfo) -> Iterator[Change]:
    looks = [FIRST + number * HALF_DAY for number in range((LAST - FIRST) // HALF_DAY + 1)]
    for low, high in pairwise(looks):
        before, after = offset(zone, low), offset(zone, high)
        if before != after:
            yield Change(bisected(zone, low, high), before, after)


def bisected(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    return high.replace(microsecond=0)


def firings(zone: str, cron: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime | None]]:
    """When APScheduler fires, and for which local slot the planner takes each firing."""
    timetable = compile_schedule(cron, zone)
    trigger, at, found = SlotTrigger(timetable), start, []
    while (at := trigger.get_next_fire_time(at, at)) < end:
        slot = timetable.latest(at, since=at - LOOKBACK)
        found.append((at, slot.local if slot else None))
    return found


def due(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Each half hour of the local clock with the first instant at which a clock on the wall shows it or more.

    Seen from the clock alone: minute by minute, no arithmetic with offsets.
    """
    shown = [
        (at, at.astimezone(zone).replace(tzinfo=None))
        for at in (start + n * STEP for n in range((end - start) // STEP))
    ]
    found, latest = [], shown[0][1]
    for at, wall in shown:
        while (slot := next_half_hour(latest)) <= wall:
            found.append((at, slot))
            latest = slot
        latest = max(latest, wall)
    return found


def next_half_hour(wall: datetime) -> datetime:
    return wall.replace(minute=wall.minute // 30 * 30, second=0) + timedelta(minutes=30)


def days(firings: list[tuple[datetime, datetime | None]]) -> list[date | None]:
    return [local.date() if local else None for _, local in firings]


def test_every_zone_every_slot_every_transition(say: Say) -> None:
    zones = sorted(available_timezones())
    histories = {(offset(ZoneInfo(name), FIRST), *changes(ZoneInfo(name))): name for name in reversed(zones)}
    cases = missed = doubled = transitions = 0
    for (_, *found), name in histories.items():
        transitions += len(found)
        for change in found:
            assert isinstance(change, Change)
            start, end = change.at - AROUND, change.at + AROUND
            expected = due(ZoneInfo(name), start, end)
            for hour, minute in SLOTS:
                wanted = [(at, local) for at, local in expected if (local.hour, local.minute) == (hour, minute)]
                fired = firings(name, f"{minute} {hour} * * *", start, end)
                fired = [one for one in fired if one[0] >= wanted[0][0]]
                cases += 1
                missed += len({local for _, local in wanted} - {local for _, local in fired})
                doubled += len(fired) - len(set(days(fired)))
                assert fired == wanted, (name, change, hour, minute)
    say(
        f"zones: {len(zones)} zones, {len(histories)} distinct offset histories, {transitions} transitions x"
        f" {len(SLOTS)} slots = {cases} cases: {missed} missed, {doubled} doubled"
    )
    assert len(zones) > 400
    assert cases > 2_880
    assert missed == doubled == 0
