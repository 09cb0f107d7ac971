from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from contacts_sync.errors import LeaseLost, PassingTrouble
from contacts_sync.model import Counters, Outcome, RunKind, RunStatus, Trigger
from contacts_sync.store import deliveries, runs
from contacts_sync.store.deliveries import Level, Message
from contacts_sync.store.engine import read, write
from tests.store.given import connected, queued
from tests.web.conftest import Site, now
from tests.web.crowd import crowd

PROMTOOL = shutil.which("promtool")


def scraped(site: Site) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(site.get("/metrics").text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    found = [sample.value for family in families.values() for sample in family.samples
             if sample.name == name and sample.labels.items() >= labels.items()]  # fmt: skip
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def test_an_empty_store_has_metrics_and_every_state_of_health_is_there(site: Site) -> None:
    families = scraped(site)
    assert value(families, "contacts_sync_store_up") == 1
    assert value(families, "contacts_sync_freshness_ratio") == 1
    states = {sample.labels["health"] for sample in families["contacts_sync_users"].samples}
    assert states == {"fresh", "late", "failing", "needs_reauth", "paused", "never_synced"}


def test_users_are_counted_by_health_and_cause(site: Site) -> None:
    crowd(site.db, 200, now(), failing=6, reauth=4)
    families = scraped(site)
    assert value(families, "contacts_sync_users", health="fresh") == 190
    assert value(families, "contacts_sync_users_in_trouble", cause="PassingTrouble") == 2
    assert value(families, "contacts_sync_users_in_trouble", cause="needs_reauth") == 4
    assert value(families, "contacts_sync_freshness_ratio") == 0.97
    assert value(families, "contacts_sync_most_stale_seconds") > timedelta(days=3).total_seconds()


def test_who_was_told_is_counted_and_no_series_is_missing(site: Site) -> None:
    site.pulse.pings["failed"] += 2
    site.pulse.hooks["timed_out"] += 1
    families = scraped(site)
    assert value(families, "contacts_sync_pings_total", outcome="failed") == 2
    assert value(families, "contacts_sync_pings_total", outcome="delivered") == 0
    assert value(families, "contacts_sync_hooks_total", outcome="timed_out") == 1
    assert value(families, "contacts_sync_hooks_total", outcome="dropped") == 0


def test_the_queue_shows_how_long_the_oldest_run_waits(site: Site) -> None:
    connected(site.db, "alice", now=now())
    queued(site.db, "alice", now() - timedelta(minutes=5))
    families = scraped(site)
    assert value(families, "contacts_sync_queue_runs", state="due") == 1
    assert 300 <= value(families, "contacts_sync_queue_oldest_due_seconds") < 400


def test_ended_runs_count_by_outcome_and_cause_and_changes_add_up(site: Site) -> None:
    connected(site.db, "alice", now=now())
    run = queued(site.db, "alice", now())
    counters = Counters(contacts_imported=3, groups_deleted=1)
    done = replace(run, status=RunStatus.SUCCEEDED, counters=counters)
    site.pulse.ran(Outcome(done, None, 1.2))
    site.pulse.ran(Outcome(replace(run, status=RunStatus.FAILED), PassingTrouble("503"), 0.1))
    site.pulse.ran(Outcome(replace(run, status=RunStatus.FAILED), KeyError("any"), 0.1))
    site.pulse.ran(Outcome(run, PassingTrouble("429"), 0.1))
    families = scraped(site)
    kind = str(run.kind)
    assert value(families, "contacts_sync_runs_total", kind=kind, outcome="succeeded", cause="none") == 1
    assert value(families, "contacts_sync_runs_total", outcome="failed", cause="PassingTrouble") == 1
    assert value(families, "contacts_sync_runs_total", outcome="failed", cause="other") == 1
    assert value(families, "contacts_sync_runs_put_back_total", cause="PassingTrouble") == 1
    assert value(families, "contacts_sync_changes_total", what="contacts", change="imported") == 3
    assert value(families, "contacts_sync_run_duration_seconds_count", kind=kind) == 3
    assert value(families, "contacts_sync_run_duration_seconds_bucket", kind=kind, le="1.0") == 2


def test_a_run_that_somebody_else_has_ended_is_counted_there(site: Site) -> None:
    connected(site.db, "alice", now=now())
    run = queued(site.db, "alice", now())
    for status in (RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.CANCELLED):
        site.pulse.ran(Outcome(replace(run, status=status), LeaseLost("taken back"), 0.1))
    names = {sample.name for family in scraped(site).values() for sample in family.samples}
    assert not names & {"contacts_sync_runs_total", "contacts_sync_runs_put_back_total"}


def test_what_was_asked_of_google_is_counted(site: Site) -> None:
    tally = site.watched.desk.transport.tally
    tally.asked(200)
    tally.asked(0)
    tally.waited(2.5)
    tally.refreshed(well=True)
    families = scraped(site)
    assert value(families, "contacts_sync_google_requests_total", status="200") == 1
    assert value(families, "contacts_sync_google_requests_total", status="none") == 1
    assert value(families, "contacts_sync_quota_wait_seconds_total") == 2.5
    assert value(families, "contacts_sync_token_refreshes_total", outcome="succeeded") == 1


def test_no_user_is_ever_a_label_and_the_number_of_series_does_not_grow_with_users(site: Site) -> None:
    crowd(site.db, 9, now(), failing=9)
    few = site.get("/metrics").text
    assert "u00000" not in few
    assert "example.com" not in few
    with read(site.db) as tx:
        assert runs.recent(tx, limit=1)
    assert len(re.findall(r"^contacts_sync_", few, re.MULTILINE)) < 150


def test_the_process_and_its_version_are_there(site: Site) -> None:
    families = scraped(site)
    assert "process_resident_memory_bytes" in families
    assert families["contacts_sync_build_info"].samples[0].labels["version"]


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_finds_nothing_to_say(site: Site) -> None:
    crowd(site.db, 9, now(), failing=3)
    run = queued(site.db, "u000008", now(), kind=RunKind.FULL, trigger=Trigger.MANUAL)
    site.pulse.ran(Outcome(run, None, 1.0))
    site.watched.desk.transport.tally.asked(200)
    assert PROMTOOL
    said = subprocess.run(
        [PROMTOOL, "check", "metrics"],
        input=site.get("/metrics").text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_alerts_that_wait_are_counted(site: Site) -> None:
    with write(site.db) as tx:
        deliveries.post(tx, Message(Level.INFO, "a title", "text"), ["json://x", "json://y"], now(), most_pending=9)
        delivery = deliveries.claim(tx, 1, now(), timedelta(0))
        assert delivery
        deliveries.failed(tx, delivery, "error=503", now())
    site.pulse.delivered(False)
    families = scraped(site)
    assert value(families, "contacts_sync_alerts_open") == 0
    assert value(families, "contacts_sync_alert_deliveries_waiting", state="new") == 1
    assert value(families, "contacts_sync_alert_deliveries_waiting", state="failing") == 1
    assert value(families, "contacts_sync_alert_deliveries_total", outcome="failed") == 1
    page = site.get("/").text
    assert "1 alert could not be delivered" in page
    assert "error=503" in page
