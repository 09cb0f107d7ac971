"""The web as part of the real daemon's process."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import requests

from contacts_sync.sandbox import Sandbox
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def operator(tmp_path: Path, newcomer: Operator) -> Operator:
    newcomer.environ["CONTACTS_SYNC_WEB__LISTEN"] = "127.0.0.1:0"
    newcomer.init()
    return newcomer


@pytest.fixture
def newcomer(tmp_path: Path) -> Any:
    with Sandbox() as google:
        yield Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db")


def said(operator: Operator, event: str) -> list[dict[str, Any]]:
    lines = (operator.home / "daemon.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def address_of(operator: Operator) -> str:
    url: str = wait_until(lambda: said(operator, "web_listening"))[-1]["url"]
    return url


def test_the_daemon_answers_that_it_lives(operator: Operator) -> None:
    with operator.daemon():
        answer = requests.get(address_of(operator) + "healthz", timeout=10)
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_taken_port_is_one_line_and_the_daemon_goes_on(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operator.environ["CONTACTS_SYNC_WEB__LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        with operator.daemon():
            wait_until(lambda: said(operator, "web_unavailable"))
            operator.connect("alice", account=ALICE)
            wait_until(lambda: operator.runs("--status", "succeeded"))
    assert len(said(operator, "web_unavailable")) == 1
