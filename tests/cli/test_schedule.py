"""`contacts-sync schedule`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from contacts_sync.model import OwnSchedule
from contacts_sync.store import connections
from contacts_sync.store.engine import read, write
from tests.cli.given import connected, now, reauth, store, without_tokens
from tests.operating import Operator

SPAN = ["--from", "2026-03-28", "--to", "2026-03-31"]


def shown(operator: Operator, *words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = operator.json("schedule", *words)["schedules"]
    return rows


@pytest.fixture
def alice(operator: Operator) -> Operator:
    with store(operator) as db:
        connected(db, "alice")
    return operator


def test_a_schedule_is_set_shown_and_reset(alice: Operator) -> None:
    (mine,) = shown(alice, "set", "alice", "--cron", "30 3 * * mon", "--timezone", "Europe/Berlin")
    assert (mine["cron"], mine["timezone"]) == ("30 3 * * mon", "Europe/Berlin")
    assert mine["next_run_at"].endswith("Z")
    assert "03:30 CE" in mine["next_run_local"]
    assert shown(alice, "show") == shown(alice, "show", "alice") == [mine]
    assert shown(alice, "set", "alice", "--cron", "0 4 * * *")[0]["timezone"] == "Europe/Berlin"
    (default,) = shown(alice, "reset", "alice")
    assert (default["cron"], default["timezone"]) == ("0 2 * * *", "UTC")
    with store(alice) as db, read(db) as tx:
        kept = connections.get(tx, "alice")
    assert kept
    assert (kept.cron, kept.timezone) == (None, None)


@pytest.mark.parametrize(
    "words",
    [
        ["--cron", "60 2 * * *"],
        ["--cron", "@daily"],
        ["--cron", ""],
        ["--cron", "0 2 31 2 *"],
        ["--cron", "0 2 * * *", "--timezone", "Mars/X"],
        ["--cron", "0 2 * * *", "--timezone", ""],
        ["--daily-at", "24:00"],
        [],
    ],
)
def test_what_can_never_be_due_is_refused(alice: Operator, words: list[str]) -> None:
    alice.run("schedule", "set", "alice", *words, code=2)
    assert shown(alice, "show")[0]["cron"] == "0 2 * * *"


@pytest.mark.parametrize(
    ("words", "cron"),
    [
        (["--daily-at", "03:30"], r"30 3 \* \* \*"),
        (["--off-hours"], r"\d+ [1-4] \* \* \*"),
        (["--every", "6h"], r"\d+ [0-5]-23/6 \* \* \*"),
        (["--every", "1d"], r"\d+ \d+ \* \* \*"),
        (["--every", "15m"], r"\d+-59/15 \* \* \* \*"),
    ],
)
def test_what_crontab_can_say_is_kept_as_crontab(alice: Operator, words: list[str], cron: str) -> None:
    (mine,) = shown(alice, "set", "alice", *words, "--timezone", "Asia/Tokyo")
    assert re.fullmatch(cron, mine["cron"])
    assert shown(alice, "set", "alice", *words) == [mine]


def test_what_crontab_cannot_say_is_kept_as_intervals(alice: Operator) -> None:
    (mine,) = shown(alice, "set", "alice", "--every", "36h", "--timezone", "Asia/Tokyo")
    assert (mine["kind"], mine["cron"], mine["interval"], mine["timezone"]) == ("every", None, "36h", "Asia/Tokyo")
    assert shown(alice, "set", "alice", "--every", "36h") == [mine]
    (mine,) = shown(alice, "set", "alice", "--adaptive", "--max", "12h")
    assert (mine["kind"], mine["interval"], mine["min"], mine["max"]) == ("adaptive", "12h", "1h", "12h")
    user = alice.user("alice")
    assert (user["cron"], user["interval"], user["next_run_at"]) == (None, "12h", mine["next_run_at"])
    slots = alice.json("schedule", "preview", "alice", "--from", day(1), "--to", day(4))["slots"]
    assert len(slots) == 6
    assert shown(alice, "reset", "alice")[0]["kind"] == "default"


def day(number: int) -> str:
    return f"{now() + timedelta(days=number):%Y-%m-%d}"


def test_a_schedule_is_given_to_several_users_or_to_all_each_with_a_minute_of_its_own(alice: Operator) -> None:
    with store(alice) as db:
        connected(db, "bob", "cyd", "dan")
        reauth(db, "dan")
    assert [row["user_id"] for row in shown(alice, "set", "bob", "alice", "bob", "--daily-at", "4:00")] == [
        "bob",
        "alice",
    ]
    rows = shown(alice, "set", "--all", "--off-hours")
    assert [row["user_id"] for row in rows] == ["alice", "bob", "cyd", "dan"]
    assert len({row["cron"] for row in rows}) == 4


def test_one_unknown_user_among_several_changes_nobodys_schedule(alice: Operator) -> None:
    alice.run("schedule", "set", "alice", "nobody", "--off-hours", code=3)
    assert shown(alice, "show")[0]["cron"] == "0 2 * * *"


@pytest.mark.parametrize("words", [["show"], ["reset"], ["set", "--cron", "0 2 * * *"], ["preview", *SPAN]])
@pytest.mark.parametrize("user", ["gone", "nobody"])
def test_who_is_not_connected_has_no_schedule(alice: Operator, words: list[str], user: str) -> None:
    with store(alice) as db:
        connected(db, "gone")
        with write(db) as tx:
            connections.disconnect(tx, "gone", now())
    alice.run("schedule", *words, user, code=3)


def test_a_user_who_must_consent_again_is_shown_as_paused(alice: Operator) -> None:
    with store(alice) as db:
        reauth(db, "alice")
    assert shown(alice, "show")[0]["next_run_at"] is None
    assert "paused" in alice.run("schedule", "show").stdout


def test_a_schedule_that_broke_is_told_and_can_be_set_anew(alice: Operator) -> None:
    with store(alice) as db, write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule("0 2 * * *", "Gone/Zone"), now=now())
    with store(alice) as db:
        without_tokens(db)
    assert "Gone/Zone" in shown(alice, "show")[0]["note"]
    assert "Gone/Zone" in str(alice.user("alice")["note"])
    assert shown(alice, "set", "alice", "--cron", "0 2 * * *", "--timezone", "UTC")[0]["next_run_at"]


def test_a_preview_tells_nominal_times_and_instants(operator: Operator) -> None:
    words = ["schedule", "preview", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin"]
    assert operator.json(*words, *SPAN)["slots"] == [
        {"slot": "2026-03-28T02:30", "at": "2026-03-28T01:30:00Z"},
        {"slot": "2026-03-29T02:30", "at": "2026-03-29T01:00:00Z"},
        {"slot": "2026-03-30T02:30", "at": "2026-03-30T00:30:00Z"},
    ]
    autumn = operator.json(*words, "--from", "2026-10-25", "--to", "2026-10-26")["slots"]
    assert autumn == [{"slot": "2026-10-25T02:30", "at": "2026-10-25T00:30:00Z"}]


def test_a_day_that_a_zone_never_had_has_its_slot_all_the_same(operator: Operator) -> None:
    words = ["--cron", "0 9 * * *", "--timezone", "Pacific/Apia", "--from", "2011-12-30", "--to", "2011-12-31"]
    slots = operator.json("schedule", "preview", *words)["slots"]
    assert slots == [{"slot": "2011-12-30T09:00", "at": "2011-12-30T10:00:00Z"}]


def test_a_preview_of_a_user_takes_the_users_schedule(alice: Operator) -> None:
    alice.run("schedule", "set", "alice", "--cron", "15 6 * * *")
    slots = alice.json("schedule", "preview", "alice", *SPAN)["slots"]
    assert [slot["slot"][-5:] for slot in slots] == ["06:15"] * 3


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["alice", "--cron", "0 2 * * *"],
        ["alice", "--timezone", "UTC"],
        ["--cron", "0 2 * * *", "--from", "28.3.2026"],
        ["--cron", "0 2 * * *", "--from", "0001-01-01"],
        ["--cron", "0 2 * * *", "--from", "2026-04-01"],
    ],
)
def test_a_preview_that_makes_no_sense_is_wrong_usage(operator: Operator, words: list[str]) -> None:
    operator.run("schedule", "preview", *SPAN, *words, code=2)
