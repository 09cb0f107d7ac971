"""`contacts-sync schedule explain` and `plan`: typed inside this process, on a real store."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from contacts_sync.cli import root
from contacts_sync.errors import UnknownUser
from contacts_sync.model import Account, Bounds, OwnSchedule, Pause
from contacts_sync.store import connections, nodes
from contacts_sync.store.engine import write
from tests.cli.given import connected, now, reauth, store
from tests.operating import Operator

HOUR = timedelta(hours=1)
BERLIN = "Europe/Berlin"


def typed(operator: Operator, *words: str, **settings: str) -> str:
    environ = {**operator.environ, **{f"CONTACTS_SYNC_{name}": value for name, value in settings.items()}}
    done = CliRunner(env=environ).invoke(root, ["schedule", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def explained(operator: Operator, **settings: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed(operator, "explain", "alice", "--json", **settings))
    return found


def given(operator: Operator, own: OwnSchedule, since: datetime | None = None) -> None:
    with store(operator) as db:
        connected(db, "alice", now=now())
        with write(db) as tx:
            connections.set_schedule(tx, "alice", own, now=since or now())


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (OwnSchedule(), "02:00 UTC: the configured schedule, cron 0 2 * * *"),
        (OwnSchedule("30 3 * * *", BERLIN), "03:30 Europe/Berlin: an own schedule, cron 30 3 * * *"),
        (OwnSchedule(None, BERLIN, Bounds(36 * HOUR, 36 * HOUR)), "Europe/Berlin: every 36 h"),
        (OwnSchedule(None, BERLIN, Bounds(HOUR, 18 * HOUR)), "Europe/Berlin: adaptive, 0 quiet runs, interval 18 h"),
    ],
)
def test_each_kind_says_when_and_why_then(operator: Operator, own: OwnSchedule, words: str) -> None:
    given(operator, own)
    told = explained(operator)
    assert told["explanation"].startswith("next 20")
    assert told["explanation"].endswith(words)
    assert typed(operator, "explain", "alice").splitlines()[0] == told["explanation"]
    assert (told["cron"] is None) == (told["interval"] is not None) == (own.bounds is not None)


def test_the_place_in_the_spread_is_told(operator: Operator) -> None:
    given(operator, OwnSchedule())
    assert "into schedule.spread" in explained(operator, SCHEDULE__SPREAD="4h")["explanation"]


def test_what_no_daemon_has_queued_is_due_since_then(operator: Operator) -> None:
    given(operator, OwnSchedule(bounds=Bounds(HOUR, HOUR)), since=now() - 3 * HOUR)
    assert explained(operator)["explanation"].startswith("due since 20")


def test_the_first_day_is_told(operator: Operator) -> None:
    with store(operator) as db, write(db) as tx:
        account = Account("1", "alice@example.com")
        connections.connect(tx, user_id="alice", account=account, sealed="s", schedule=None, now=now(), onboarding=True)
    told = explained(operator)
    assert "hourly for the first day; from then on the configured schedule" in told["explanation"]
    assert told["hourly_until"]


def test_who_must_consent_again_is_not_due(operator: Operator) -> None:
    given(operator, OwnSchedule(bounds=Bounds(HOUR, 2 * HOUR)))
    with store(operator) as db:
        reauth(db, "alice")
    told = explained(operator)
    assert (told["status"], told["next_run_at"]) == ("needs_reauth", None)
    assert told["explanation"].startswith("not due: adaptive")
    assert "contacts-sync connect alice" in told["note"]


def test_a_pause_of_everybody_and_a_broken_schedule_are_told(operator: Operator) -> None:
    given(operator, OwnSchedule("99 * * * *"))
    assert "never due" in explained(operator)["note"]
    with store(operator) as db, write(db) as tx:
        nodes.set_pause(tx, Pause("OperatorTrouble", "API not enabled", "enable it", now(), now()))
    assert "API not enabled" in explained(operator)["note"]


def test_nobodys_schedule_cannot_be_explained(operator: Operator) -> None:
    with pytest.raises(UnknownUser):
        typed(operator, "explain", "nobody")


def test_a_plan_flags_the_hour_that_cannot_hold_its_load(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, *(f"u{number}" for number in range(100)), now=now())
    plan = json.loads(typed(operator, "plan", "--json", SYNC__REQUESTS_PER_MINUTE="3"))
    assert len(plan["hours"]) == 24
    (full,) = [hour for hour in plan["hours"] if not hour["holds"]]
    assert (full["runs"], full["requests"], full["peak_requests_per_minute"]) == (100, 200, 200)
    assert (full["carried_requests"], plan["ok"]) == (20, False)
    assert "too much" in typed(operator, "plan", SYNC__REQUESTS_PER_MINUTE="3")
    assert json.loads(typed(operator, "plan", "--json", "--hours", "48"))["ok"]
