"""What the operator's Prometheus and Grafana are given refers only to what is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from contacts_sync.model import Node, Outcome, RunStatus
from contacts_sync.store import nodes
from contacts_sync.store.engine import write
from tests.store.given import queued
from tests.web.conftest import Site, now
from tests.web.crowd import crowd

SHIPPED = Path(__file__).parents[2] / "systemd"
RULES, DASHBOARD = SHIPPED / "contacts-sync.rules.yml", SHIPPED / "grafana-dashboard.json"
PROMTOOL = shutil.which("promtool")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:contacts_sync|process)_\w+", expression))


def at_work(site: Site) -> None:
    """Everything that can be counted has happened once."""
    crowd(site.db, 9, now(), failing=3)
    with write(site.db) as tx:
        nodes.beat(tx, Node("w", "daemon", *nodes.this_host(), os.getpid(), "1", now(), now()))
    run = queued(site.db, "u000008", now())
    for status in RunStatus:
        site.pulse.ran(Outcome(replace(run, status=status), None, 1.0))
    site.pulse.turned(0.1)
    site.watched.desk.transport.tally.asked(200)


def test_every_metric_that_is_asked_for_exists_with_its_labels(site: Site) -> None:
    at_work(site)
    families = text_string_to_metric_families(site.get("/metrics").text)
    there = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    for expression in expressions():
        assert names_in(expression) <= there.keys(), expression
        for name, labels in re.findall(r"(contacts_sync_\w+){([^}]*)}", expression):
            assert set(re.findall(r"(\w+)=", labels)) - {"job"} <= there[name], expression
        for labels, name in re.findall(r"by \(([\w, ]+)\) \(+(?:rate\()?(contacts_sync_\w+)", expression):
            assert set(labels.split(", ")) - {"job", "instance"} <= there[name], expression


def test_every_alert_says_what_and_what_to_do() -> None:
    found = alerts()
    assert len({rule["alert"] for rule in found}) == len(found) >= 8
    for rule in found:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_grafanas_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not mine & cells, panel["title"]
        cells |= mine


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_accepts_the_rules() -> None:
    assert PROMTOOL
    said = subprocess.run(
        [PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")
def test_an_alert_rings_when_it_should_and_not_before(tmp_path: Path) -> None:
    def series(name: str, values: str) -> dict[str, str]:
        return {"series": f"{name}{{job='contacts-sync', instance='a'}}", "values": values}

    def ringing(at: str, alert: str, *, rings: bool) -> dict[str, Any]:
        return {"eval_time": at, "alertname": alert, **({} if rings else {"exp_alerts": []})}

    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    series("up", "1x60"),
                    series("contacts_sync_freshness_ratio", "1x20 0.5x100"),
                    series("contacts_sync_store_up", "1x200"),
                ],
                "alert_rule_test": [
                    ringing("15m", "ContactsSyncFreshnessMissed", rings=False),
                    ringing("40m", "ContactsSyncFreshnessMissed", rings=False),
                    ringing("30m", "ContactsSyncStoreDown", rings=False),
                    {
                        "eval_time": "55m",
                        "alertname": "ContactsSyncFreshnessMissed",
                        "exp_alerts": [
                            {
                                "exp_labels": {"severity": "warning", "job": "contacts-sync"},
                                "exp_annotations": {
                                    "summary": "50% of the users are as fresh as they should be",
                                    "description": next(
                                        rule["annotations"]["description"]
                                        for rule in alerts()
                                        if rule["alert"] == "ContactsSyncFreshnessMissed"
                                    ),
                                },
                            }
                        ],
                    },
                ],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(tests))
    assert PROMTOOL
    said = subprocess.run(
        [PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
