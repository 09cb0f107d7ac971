"""Every local slot happens exactly once, in every zone, whatever the clocks do."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_sync.errors import InvalidUsage
from contacts_sync.timetable import Timetable, compile_schedule, spread_offset, weekly_full_due

NIGHTLY = "0 2 * * *"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(cron: str, zone: str, first: str, last: str) -> list[str]:
    slots = compile_schedule(cron, zone).between(utc(first), utc(last))
    return [f"{slot.local:%d %H:%M} -> {slot.at:%d %H:%M}" for slot in slots]


def test_a_slot_in_the_gap_runs_at_the_first_instant_after_it() -> None:
    assert at("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-30T12:00") == [
        "28 02:30 -> 28 01:30",
        "29 02:30 -> 29 01:00",
        "30 02:30 -> 30 00:30",
    ]


def test_every_minute_in_the_gap_runs_at_the_very_instant_after_it() -> None:
    slots = compile_schedule("* 2 29 3 *", "Europe/Berlin").between(utc("2026-03-28"), utc("2026-03-30"))
    assert [slot.at for slot in slots] == [utc("2026-03-29T01:00")] * 60


def test_a_slot_that_happens_twice_runs_the_first_time() -> None:
    assert at("0 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00") == [
        "25 02:00 -> 25 00:00",
        "26 02:00 -> 26 01:00",
    ]


def test_the_day_after_spring_forward_is_not_skipped() -> None:
    assert at("0 0 * * *", "America/New_York", "2026-03-08", "2026-03-11") == [
        "08 00:00 -> 08 05:00",
        "09 00:00 -> 09 04:00",
        "10 00:00 -> 10 04:00",
    ]


def test_a_midnight_that_does_not_exist_still_happens() -> None:
    assert at("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", "2026-04-24T12:00") == ["24 00:00 -> 23 22:00"]


def test_a_span_includes_its_start_and_excludes_its_end() -> None:
    assert at(NIGHTLY, "UTC", "2026-11-23T02:00", "2026-11-24T02:00") == ["23 02:00 -> 23 02:00"]


def test_weekdays_are_crontabs() -> None:
    sundays = [
        compile_schedule(f"0 2 * * {day}", "UTC").next_after(utc("2026-11-23")).local for day in ("0", "7", "sun")
    ]
    assert sundays == [datetime(2026, 11, 29, 2)] * 3
    assert compile_schedule("0 0 13 * 5", "UTC").next_after(utc("2026-11-08")).local == datetime(2026, 11, 13)
    assert compile_schedule("0 0 13 * 5", "UTC").next_after(utc("2026-11-13")).local == datetime(2026, 11, 20)


def test_a_slot_has_a_name() -> None:
    slot = compile_schedule(NIGHTLY, "Europe/Berlin").next_after(utc("2026-10-24T12:00"))
    assert slot.label == "2026-10-25T02:00[Europe/Berlin]"
    assert slot.at.tzinfo is UTC


def test_the_latest_slot_is_the_one_a_late_start_stands_for() -> None:
    nightly = compile_schedule(NIGHTLY, "UTC")
    now = utc("2026-11-23T12:00")
    newest = nightly.latest(now, since=utc("2026-11-01"))
    assert newest is not None
    assert newest.at == utc("2026-11-23T02:00")
    assert nightly.latest(now, since=utc("2026-11-23T02:00")) is None
    assert nightly.latest(utc("2026-11-23T02:00"), since=utc("2026-11-01")) == newest


@pytest.mark.parametrize(
    "cron",
    ["60 2 * * *", "0 2 * *", "0 2 * * * *", "@daily", "", "0 2 1 13 *", "a b c d e", "0 2 * * 8", "0 2 * * \x00"],
)
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(InvalidUsage, match="not a cron expression") as caught:
        compile_schedule(cron, "UTC")
    assert caught.value.hint == 'five fields are expected, such as "0 2 * * *": min hour day month weekday'


@pytest.mark.parametrize("cron", ["0 2 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *"])
def test_an_expression_that_never_fires_is_told_so(cron: str) -> None:
    with pytest.raises(InvalidUsage) as caught:
        compile_schedule(cron, "UTC")
    assert caught.value.message == f"the cron expression {cron!r} never fires"
    assert caught.value.hint.startswith("no month that it names has such a day")


def test_what_is_wrong_with_an_expression_is_told() -> None:
    with pytest.raises(InvalidUsage) as caught:
        compile_schedule("0 2 * *", "UTC")
    assert caught.value.hint == 'five fields are expected, such as "0 2 * * *": min hour day month weekday'


@pytest.mark.parametrize(
    "zone", ["Mars/X", "", "america/new_york", "../../etc/passwd", "UTC+3", "\x00", "/etc/localtime"]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidUsage, match="time zone"):
        compile_schedule(NIGHTLY, zone)


def test_a_zone_whose_data_are_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Indian").mkdir()
    (tmp_path / "Indian" / "Chagos").write_bytes(b"no zone")
    zoneinfo.reset_tzpath([tmp_path])
    ZoneInfo.clear_cache(only_keys=["Indian/Chagos"])
    try:
        with pytest.raises(InvalidUsage, match="'Indian/Chagos' can't be read"):
            compile_schedule(NIGHTLY, "Indian/Chagos")
    finally:
        zoneinfo.reset_tzpath()


def test_a_misspelt_zone_gets_a_suggestion() -> None:
    with pytest.raises(InvalidUsage) as caught:
        compile_schedule(NIGHTLY, "Europe/Berln")
    assert str(caught.value) == "no such time zone: 'Europe/Berln'"
    assert caught.value.hint == "did you mean Europe/Berlin?"
    with pytest.raises(InvalidUsage) as caught:
        compile_schedule(NIGHTLY, "?")
    assert caught.value.hint == "use an IANA name such as UTC or Europe/Berlin"


def transitions(zone: ZoneInfo, year: int) -> list[date]:
    """Days of a year on which the zone's offset changes."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    noon = [datetime(day.year, day.month, day.day, 12, tzinfo=zone).utcoffset() for day in days]
    return [days[n] for n in range(1, len(days)) if noon[n] != noon[n - 1]]


def test_no_zone_misses_or_doubles_a_slot_around_any_change_of_its_clocks() -> None:
    checked, seen = 0, set()
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for day in transitions(zone, 2026):
            key = (day, *(datetime(day.year, day.month, day.day, hour, tzinfo=zone).utcoffset() for hour in range(24)))
            if key in seen:
                continue
            seen.add(key)
            checked += sum(_once(name, zone, day, minute) for minute in range(0, 24 * 60, 30))
    print(f"{checked} slots around {len(seen)} distinct changes of clocks: each happens once")
    assert checked > 1_000


def _once(name: str, zone: ZoneInfo, day: date, minute: int) -> int:
    table = Timetable(f"{minute % 60} {minute // 60} * * *", name)
    first, last = day - timedelta(days=2), day + timedelta(days=3)
    start, end = (datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC) for one in (first, last))
    slots = list(table.between(start, end))
    assert [slot.local.date() for slot in slots] == [first + timedelta(days=n) for n in range(5)], (name, day, minute)
    assert [slot.at for slot in slots] == sorted({slot.at for slot in slots})
    return len(slots)


moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
crons = st.sampled_from(["0 2 * * *", "*/30 * * * *", "15 1-3 * * *", "0 0 1 * *", "30 2 * * sun"])
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]
)


@given(crons, zones, moments)
def test_walking_from_slot_to_slot_is_the_list_of_slots(cron: str, zone: str, start: datetime) -> None:
    table = compile_schedule(cron, zone)
    end = start + timedelta(days=3)
    walked, here = [], start - timedelta(microseconds=1)
    while (slot := table.next_after(here)).at < end:
        walked.append(slot.at)
        here = slot.at
    assert walked == sorted({slot.at for slot in table.between(start, end)})


@given(crons, zones, moments)
def test_the_latest_slot_is_the_last_of_the_list(cron: str, zone: str, now: datetime) -> None:
    table, since = compile_schedule(cron, zone), now - timedelta(days=40)
    listed = [slot.at for slot in table.between(since + timedelta(microseconds=1), now + timedelta(microseconds=1))]
    newest = table.latest(now, since=since)
    assert (newest.at if newest else None) == (listed[-1] if listed else None)


@settings(max_examples=50)
@given(crons, zones, moments)
def test_a_day_opens_once_with_its_first_slot_and_never_in_the_future(cron: str, zone: str, now: datetime) -> None:
    table = compile_schedule(cron, zone)
    opening = table.opening(now)
    assert opening is not None
    assert opening.at <= now
    same_day = [slot for slot in table.between(opening.at, now) if slot.local.date() == opening.local.date()]
    assert {table.opening(slot.at) for slot in same_day} <= {opening}
    assert min((slot.local for slot in same_day), default=opening.local) == opening.local


@pytest.mark.parametrize(
    ("cron", "opening"),
    [
        ("0 2 * * *", "03-01T02:00"),
        ("*/5 * * * *", "03-01T00:00"),
        ("* * * * *", "03-01T00:00"),
        ("0 13 * * *", "02-28T13:00"),
        ("0 2 5 * *", "02-05T02:00"),
    ],
)
def test_the_day_of_the_newest_opening_may_be_long_past(cron: str, opening: str) -> None:
    found = compile_schedule(cron, "UTC").opening(utc("2026-03-01T12:00"))
    assert found is not None
    assert found.at == utc(f"2026-{opening}")


def test_a_day_has_not_begun_before_its_first_slot() -> None:
    opening = compile_schedule("10,40 0 * * *", "UTC").opening(utc("2026-03-01T00:05"))
    assert opening is not None
    assert opening.at == utc("2026-02-28T00:10")


@given(st.text(min_size=1), st.integers(0, 86_400))
def test_a_users_place_in_the_window_is_fixed_and_inside(user: str, seconds: int) -> None:
    window = timedelta(seconds=seconds)
    offset = spread_offset(user, window)
    assert offset == spread_offset(user, window)
    assert timedelta(0) <= offset < max(window, timedelta(seconds=1))


def test_a_users_places_stay_the_same_from_version_to_version() -> None:
    assert spread_offset("alice", timedelta(hours=4)) == timedelta(seconds=10040)
    last, due = utc("2026-11-01"), timedelta(days=5) + timedelta(days=1.5) * 3266 / 10_000
    assert not weekly_full_due("alice", last, last + due - timedelta(seconds=1))
    assert weekly_full_due("alice", last, last + due)


def test_a_herd_spreads_evenly() -> None:
    hours = [0] * 4
    for number in range(4_000):
        hours[int(spread_offset(f"user-{number}", timedelta(hours=4)) / timedelta(hours=1))] += 1
    assert all(800 < count < 1_200 for count in hours)


@given(st.text(min_size=1))
def test_a_weekly_full_comes_between_day_five_and_six_and_a_half(user: str) -> None:
    last = utc("2026-11-01")
    assert not weekly_full_due(user, last, last + timedelta(days=4.99))
    assert weekly_full_due(user, last, last + timedelta(days=6.5))
