"""The digest: once a slot, however many daemons there are and however often they look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contacts_sync.alerts.digest import latest_slot
from contacts_sync.store.engine import Database
from tests.alerts.given import HOUR, configured, fails, succeeds
from tests.alerts.test_watchman import Daemon
from tests.alerts.webhooks import Webhook
from tests.store.given import NOW, connected

SECOND = timedelta(seconds=1)


def test_a_day_has_one_slot_and_a_week_has_its_monday() -> None:
    daily = configured("sqlite:////x", ALERTS__DIGEST="daily", ALERTS__DIGEST_AT="07:30").alerts
    weekly = configured("sqlite:////x", ALERTS__DIGEST="weekly").alerts
    sunday = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert latest_slot(daily, "Europe/Berlin", sunday) == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    assert latest_slot(weekly, "UTC", sunday) == datetime(2026, 2, 23, 8, 0, tzinfo=UTC)
    assert latest_slot(configured("sqlite:////x").alerts, "UTC", sunday) is None


def test_each_slot_is_written_once_from_the_next_one_on(db: Database, store_url: str, hook: Webhook) -> None:
    connected(db, "alice", "bob")
    succeeds(db, "alice", NOW)
    for number in range(3):
        fails(db, "bob", NOW + number * SECOND)
    config = configured(store_url, ALERTS__URLS=hook.url, ALERTS__DIGEST="daily", ALERTS__REMIND="")
    daemons = [Daemon(db, config), Daemon(db, config)]
    for _ in range(5):
        for daemon in daemons:
            daemon.after(HOUR)
    assert hook.titles == ["contacts-sync: bob: Google or the network failed"]
    for _ in range(5):
        for daemon in daemons:
            daemon.after(HOUR)
    assert hook.titles[1:] == ["contacts-sync: daily digest: 1 of 2 fresh, 1 cause open"]
    told = hook.got[1]["message"]
    assert "Fresh: 1 of 2 (1 failing)\n" in told
    assert "Runs of 24 hours: 1 succeeded, 3 failed\n" in told
    assert "- bob: Google or the network failed, since 2026-03-01 03:00:00 UTC; next: contacts-sync run-now bob" in told


def test_switched_off_and_on_again_it_begins_with_the_next_slot(db: Database, store_url: str, hook: Webhook) -> None:
    on = configured(store_url, ALERTS__URLS=hook.url, ALERTS__DIGEST="daily")
    daemon = Daemon(db, on)
    daemon.after(HOUR)
    daemon.config = configured(store_url, ALERTS__URLS=hook.url)
    daemon.after(HOUR)
    daemon.after(24 * HOUR)
    daemon.config = on
    daemon.after(HOUR)
    assert hook.got == []
    daemon.after(24 * HOUR)
    assert hook.titles == ["contacts-sync: daily digest: 0 of 0 fresh, 0 causes open"]
