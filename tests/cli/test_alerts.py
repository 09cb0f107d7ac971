"""`contacts-sync alerts`, and where else it shows whether telling works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.store import alerts, deliveries
from contacts_sync.store.alerts import Alert, State
from contacts_sync.store.deliveries import Level, Message
from contacts_sync.store.engine import write
from tests.alerts.given import story
from tests.alerts.webhooks import SECRET, Webhook, webhook
from tests.cli.given import now, store
from tests.operating import Operator


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as receiver:
        yield receiver


def configure(operator: Operator, *urls: str) -> None:
    path = operator.home / "urls"
    path.write_text("\n".join(urls))
    path.chmod(0o600)
    operator.environ |= {"CONTACTS_SYNC_ALERTS__URLS_FILE": str(path), "CONTACTS_SYNC_ALERTS__ALLOW_HOSTS": "127.0.0.1"}


def undelivered(operator: Operator, error: str) -> None:
    with store(operator) as db, write(db) as tx:
        deliveries.post(tx, Message(Level.INFO, "a title", "text"), ["json://x"], now(), most_pending=9)
        (waiting,) = deliveries.due(tx, ["json://x"], now())
        delivery = deliveries.claim(tx, waiting, now(), now() - now())
        assert delivery
        deliveries.failed(tx, delivery, error, now())


def test_a_test_goes_everywhere_and_tells_of_each_destination(operator: Operator, hook: Webhook) -> None:
    configure(operator, hook.url, f"json://127.0.0.1:1/{SECRET}")
    told = operator.json("alerts", "test", code=1)
    assert told["ok"] is False
    assert [one["error"] for one in told["deliveries"]] == [None, "Connection refused"]
    assert told["deliveries"][1]["origin"].endswith("urls, line 2")
    assert hook.titles == ["contacts-sync: a test"]
    configure(operator, hook.url)
    said = operator.run("alerts", "test").stdout
    assert said.startswith(f"sent  json://{hook.url.split('/')[2]} (")
    assert SECRET not in "".join(operator.transcript)


def test_without_a_destination_there_is_nothing_to_test(operator: Operator) -> None:
    assert "alerts.urls_file" in operator.run("alerts", "test", code=78).stderr


def test_a_wrong_url_keeps_the_daemon_from_starting_and_names_its_line(operator: Operator) -> None:
    configure(operator, f"slak://{SECRET}/x")
    said = operator.run("daemon", code=78).stderr
    assert "urls, line 1: no destination that Apprise understands (slak://***)" in said
    found = {one["name"]: one for one in operator.json("check", code=1)["checks"]}
    assert found["alerts"]["ok"] is False
    assert SECRET not in "".join(operator.transcript)


def test_what_could_not_be_delivered_is_in_status_check_and_list(operator: Operator) -> None:
    undelivered(operator, "error=503")
    told = operator.json("status")["alerts"]
    assert (told["open"], told["pending"], told["failing"], told["last_error"]) == (0, 1, 1, "error=503")
    assert "alerts: 1 undelivered since" in operator.run("status").stdout
    assert "deliveries: 1 undelivered since" in operator.run("check").stdout
    (only,) = operator.json("alerts", "list")["deliveries"]
    assert (only["destination"], only["status"], only["attempts"], only["error"]) == (
        "json://x",
        "pending",
        1,
        "error=503",
    )


def test_open_causes_are_listed_and_what_is_over_is_not(operator: Operator) -> None:
    assert "no cause is open" in operator.run("alerts", "list").stdout
    causes = [
        Alert(story("PassingTrouble", users=3), State.OPEN, now(), now(), told_at=now()),
        Alert(story("late"), State.OVER, now(), now()),
    ]
    with store(operator) as db, write(db) as tx:
        alerts.save(tx, causes)
    (only,) = operator.json("alerts", "list")["alerts"]
    assert (only["key"], only["state"], only["users"]) == ("PassingTrouble", "open", 3)
    assert "contacts-sync run-now --failed" in operator.run("alerts", "list").stdout


def test_the_urls_are_masked_in_the_configuration(newcomer: Operator, tmp_path: Path) -> None:
    newcomer.environ["CONTACTS_SYNC_ALERTS__URLS"] = f"slack://{SECRET}"
    shown = {one["name"]: one["value"] for one in newcomer.json("config", "show")["settings"]}
    assert shown["alerts.urls"] == "***"
    newcomer.environ["CONTACTS_SYNC_ALERTS__URLS"] = SECRET
    newcomer.run("config", "show", code=78)
    assert SECRET not in "".join(newcomer.transcript)
