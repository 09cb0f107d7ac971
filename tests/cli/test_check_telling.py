"""`check` on who is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contacts_sync import config
from contacts_sync.cli.check_telling import ping_finding, telling_findings
from contacts_sync.store import pings
from contacts_sync.store.engine import Database, write
from tests.store.given import NOW


def loaded(**settings: str) -> config.Config:
    return config.load(None, environ={f"CONTACTS_SYNC_{name}": value for name, value in settings.items()})


def lines(**settings: str) -> list[str]:
    return [finding.line for finding in telling_findings(loaded(**settings))]


def test_where_nobody_is_told_there_is_nothing_to_say() -> None:
    assert lines() == []


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"PING__URL": "http://localhost/s3cr3t", "ALERTS__ALLOW_HOSTS": "localhost"},
            "pass  ping: localhost is told once a day",
        ),
        ({"PING__URL": "https://localhost/s3cr3t"}, "FAIL  ping: localhost is "),
        ({"PING__URL": "https://nobody.invalid/s3cr3t"}, "warn  ping: the host of ping.url can't be resolved"),
        ({"PING__URL_FILE": "/no/such/file"}, "FAIL  ping: ping.url_file /no/such/file can't be read"),
        ({"HOOKS__ON_FAILURE": "sh -c true"}, "pass  hooks.on_failure: /"),
        ({"HOOKS__ON_CHANGE": "bin/no-such"}, "FAIL  hooks.on_change: bin/no-such is no program that can be run"),
    ],
)
def test_what_can_be_told_and_what_cannot(settings: dict[str, str], line: str) -> None:
    (told,) = lines(**settings)
    assert told.startswith(line)
    assert "s3cr3t" not in told


def test_a_file_that_may_not_be_run_is_no_hook(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("#!/bin/sh\n")
    assert lines(HOOKS__ON_SUCCESS=str(tmp_path / "hook"))[0].startswith("FAIL")


def test_what_came_of_the_latest_ping_is_shown(db: Database) -> None:
    settings = loaded(PING__URL="https://hc.example.com/s3cr3t")
    assert list(ping_finding(settings, db)) == []
    with write(db) as tx:
        pings.begin(tx, None, NOW, "begun", NOW)
        taken = pings.take(tx, NOW, timedelta(minutes=1))
        assert taken is not None
        pings.failed(tx, taken, "hc.example.com answered 404", NOW)
    (finding,) = ping_finding(settings, db)
    assert finding.line == (
        "warn  pings: start of the round of 2026-03-01T02:00:00Z could not be told in 1 attempts: "
        "hc.example.com answered 404 (next: see [ping])"
    )
    with write(db) as tx:
        pings.delivered(tx, taken, NOW)
    (finding,) = ping_finding(settings, db)
    assert finding.line == "pass  pings: start of the round of 2026-03-01T02:00:00Z was told at 2026-03-01T02:00:00Z"
