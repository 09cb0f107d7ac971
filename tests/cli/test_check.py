"""`contacts-sync check`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contacts_sync import vault
from contacts_sync.cli.check import _clock
from contacts_sync.model import Pause
from contacts_sync.store import nodes
from contacts_sync.store.engine import write
from tests.cli.given import joined, now, store
from tests.operating import Operator

NAMES = ["config", "key", "credentials", "google", "clock", "store", "schema", "tokens", "daemon"]


def checks(operator: Operator, *, code: int = 0) -> dict[str, str]:
    """The messages of what failed."""
    document = operator.json("check", code=code)
    assert document["ok"] == (code == 0) == all(check["ok"] for check in document["checks"])
    assert {name for name in NAMES if name != "tokens"} <= {check["name"] for check in document["checks"]} or code
    return {check["name"]: check["message"] for check in document["checks"] if not check["ok"]}


def test_all_is_well(operator: Operator) -> None:
    joined(operator, "alice")
    assert checks(operator) == {}
    lines = operator.run("check").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"pass  {name}" for name in NAMES]


def test_what_is_missing_is_told_with_the_command_that_makes_it(newcomer: Operator) -> None:
    newcomer.environ["CONTACTS_SYNC_GOOGLE__CLIENT_ID"] = ""
    failed = checks(newcomer, code=1)
    assert failed.keys() == {"key", "credentials", "store", "schema"}
    assert "contacts-sync init" in failed["key"]
    assert "contacts-sync init" in failed["store"]
    assert not list(newcomer.home.iterdir())


def test_a_wrong_configuration_is_a_failed_check(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_SYNC__WORKERS"] = "0"
    assert "sync.workers" in checks(operator, code=1)["config"]


def test_google_that_cannot_be_reached_is_told(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_GOOGLE__ENDPOINTS__PEOPLE"] = "http://127.0.0.1:1"
    assert checks(operator, code=1).keys() == {"google", "clock"}


def test_tokens_that_no_key_opens_are_told(operator: Operator) -> None:
    joined(operator, "alice")
    (operator.home / "key").write_text(vault.generate_key())
    assert "contacts-sync connect alice" in checks(operator, code=1)["tokens"]
    (operator.home / "key").chmod(0o644)
    assert checks(operator, code=1).keys() == {"key", "tokens"}


def test_the_operators_trouble_is_told_while_it_lasts(operator: Operator) -> None:
    with store(operator) as db, write(db) as tx:
        nodes.set_pause(tx, Pause("OperatorTrouble", "People API is off", "enable it", now(), now()))
    assert checks(operator, code=1) == {"project": "People API is off (next: enable it)"}


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_an_answer_without_a_time_says_nothing_about_our_clock(date: str) -> None:
    assert _clock(date).ok


def test_a_clock_that_is_far_off_is_told(operator: Operator) -> None:
    class Yesterday(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Yesterday) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        operator.environ["CONTACTS_SYNC_GOOGLE__ENDPOINTS__PEOPLE"] = f"http://127.0.0.1:{server.server_port}"
        assert checks(operator, code=1).keys() == {"clock"}
        server.shutdown()
