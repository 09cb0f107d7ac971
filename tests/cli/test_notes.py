"""Why nothing happens for a user, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts_sync.cli.notes import note_for
from contacts_sync.model import Connection, ConnectionStatus, Counters, Pause, Run, RunKind, RunStatus, Trigger

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
ALICE = Connection(
    "alice", "a@x", "sub", ConnectionStatus.CONNECTED, None, None, NOW, None, reauth_reason=None, scheduled_since=NOW
)


def run(status: RunStatus, **more: Any) -> Run:
    plain: dict[str, Any] = dict.fromkeys(Run.__slots__)
    plain |= {"id": 7, "user_id": "alice", "kind": RunKind.FULL, "trigger": Trigger.SCHEDULE, "counters": Counters()}
    return Run(**{**plain, "status": status, "not_before": NOW, **more})


def note(connection: Connection = ALICE, **more: Any) -> str | None:
    plain = {"closed": None, "broken": None, "pause": None, "active": None, "latest": None, "daemon": True}
    return note_for(connection, **{**plain, **more}, now=NOW)


def test_a_lost_key_says_who_must_connect_again() -> None:
    assert note(closed="no key opens a thing") == (
        "no key opens a thing: put it back, or, if it is lost, next: contacts-sync connect alice"
    )


def test_there_is_nothing_to_say_when_all_is_well() -> None:
    assert note() is None
    assert note(active=run(RunStatus.RUNNING)) is None
    assert note(active=run(RunStatus.QUEUED)) is None
    assert note(latest=run(RunStatus.SUCCEEDED)) is None


def test_a_dead_grant_is_told_with_the_one_command_that_heals_it() -> None:
    needy = replace(ALICE, status=ConnectionStatus.NEEDS_REAUTH, reauth_reason="the grant was revoked")
    assert note(needy) == "the grant was revoked; schedule paused; next: contacts-sync connect alice"


def test_a_disconnected_user_needs_nothing() -> None:
    pause = Pause("OperatorTrouble", "no API", "enable it", NOW, LATER)
    assert note(replace(ALICE, status=ConnectionStatus.DISCONNECTED), pause=pause) is None


def test_the_operators_trouble_is_told_to_everybody() -> None:
    told = note(pause=Pause("OperatorTrouble", "People API is off", "enable it", NOW, LATER))
    assert told == "all runs are paused since 2026-03-01T02:00:00Z: People API is off; next: enable it"


def test_a_broken_schedule_is_told_with_the_command_that_sets_another() -> None:
    assert "contacts-sync schedule set --cron '0 2 * * *' alice" in str(note(broken="no such time zone"))


@pytest.mark.parametrize(
    ("since", "why"), [(NOW, "is deferred by Google's quota or the store"), (None, "waits for its turn")]
)
def test_a_run_that_waits_says_until_when(since: datetime | None, why: str) -> None:
    waiting = run(RunStatus.QUEUED, not_before=LATER, deferred_since=since)
    assert note(active=waiting) == f"run 7 {why} and goes on at 2026-03-01T02:05:00Z"


def test_a_queued_run_without_a_daemon_says_who_could_carry_it_out() -> None:
    assert "contacts-sync run-now alice" in str(note(active=run(RunStatus.QUEUED), daemon=False))


def test_a_parked_run_is_told_with_its_approval() -> None:
    parked = run(RunStatus.FAILED, error_type="MassDeletion", error_message="50 of 60 contacts would go")
    assert note(latest=parked) == "50 of 60 contacts would go; if that is right, next: contacts-sync runs approve 7"
    assert note(latest=parked, active=run(RunStatus.RUNNING)) is None


def test_a_poisonous_run_is_told_as_quarantined() -> None:
    poison = run(RunStatus.FAILED, error_type="RunAbandoned", error_message="its process died 3 times")
    assert "run 7 is quarantined" in str(note(latest=poison))


def test_an_ordinary_failure_needs_no_note() -> None:
    assert note(latest=run(RunStatus.FAILED, error_type="PassingTrouble", error_message="503")) is None
