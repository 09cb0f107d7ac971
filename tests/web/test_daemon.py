"""The web as part of the real daemon's process, and the daemon undisturbed by it."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher
from tests.operating import Operator, wait_until

ALICE = "alice@example.com"


@pytest.fixture
def operator(tmp_path: Path, launcher: Launcher) -> Iterator[Operator]:
    with Sandbox() as google:
        google.world.add_account(ALICE).add_people(3)
        newcomer = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher, WEB__LISTEN="127.0.0.1:0")
        newcomer.init()
        yield newcomer


def said(operator: Operator, event: str) -> list[dict[str, Any]]:
    lines = (operator.home / "daemon.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def address_of(operator: Operator) -> str:
    url: str = wait_until(lambda: said(operator, "web_listening"))[-1]["url"]
    return url


def page(url: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", requests.get(url, timeout=20).text)).split())


def test_the_daemon_lives_is_ready_and_shows_what_it_does(operator: Operator) -> None:
    with operator.daemon() as daemon:
        url = address_of(operator)
        assert requests.get(url + "healthz", timeout=20).text == "ok\n"
        wait_until(lambda: requests.get(url + "readyz", timeout=20).text == "ready\n")
        assert "Nobody is connected yet" in page(url)
        operator.connect("alice", account=ALICE)
        wait_until(lambda: "1 of 1 fresh" in page(url))
        assert f"pid {daemon.pid}" in page(url)
        assert "of 16 workers here are busy" in page(url)
        metrics = requests.get(url + "metrics", timeout=20).text
    assert 'contacts_sync_runs_total{cause="none",kind="full",outcome="succeeded"} 1.0' in metrics
    assert 'contacts_sync_changes_total{change="imported",what="contacts"} 3.0' in metrics
    assert re.search(r'contacts_sync_google_requests_total{status="200"} [1-9]', metrics)
    assert "contacts_sync_daemons_alive 1.0" in metrics


def test_a_dead_grant_is_on_the_page_with_its_cure(operator: Operator) -> None:
    with operator.daemon():
        url = address_of(operator)
        operator.connect("alice", account=ALICE)
        wait_until(lambda: operator.runs("--status", "succeeded"))
        operator.google.world.account(ALICE).revoke_grants()
        operator.run("run-now", "alice", code=4)
        wait_until(lambda: "1 user : permission gone: connect again" in page(url))
        assert "type contacts-sync connect alice" in page(url)


def test_a_taken_port_is_one_line_and_the_daemon_goes_on(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operator.environ["CONTACTS_SYNC_WEB__LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        with operator.daemon():
            wait_until(lambda: said(operator, "web_unavailable"))
            operator.connect("alice", account=ALICE)
            wait_until(lambda: operator.runs("--status", "succeeded"))
    assert len(said(operator, "web_unavailable")) == 1


def test_a_missing_password_opens_nothing_and_the_daemon_goes_on(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_WEB__PASSWORD_FILE"] = str(operator.home / "nothing")
    with operator.daemon():
        assert "web.password_file" in wait_until(lambda: said(operator, "web_unavailable"))[0]["error"]
        operator.connect("alice", account=ALICE)
        wait_until(lambda: operator.runs("--status", "succeeded"))
    assert not said(operator, "web_listening")


def test_syncing_goes_on_whatever_visitors_do(operator: Operator) -> None:
    with operator.daemon() as daemon:
        url = address_of(operator)
        host, port = url.removeprefix("http://").strip("/").split(":")
        over = threading.Event()
        answers: list[int] = []

        def hammer() -> None:
            with requests.Session() as visitor:
                while not over.is_set() and len(answers) < 3_000:
                    answers.append(visitor.get(url, timeout=60).status_code)

        visitors = [threading.Thread(target=hammer) for _ in range(4)]
        silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(120)]
        for one in silent[:60]:
            one.sendall(b"GET / HTTP/1.1\r\n")
            one.close()
        for visitor in visitors:
            visitor.start()
        try:
            operator.connect("alice", account=ALICE)
            wait_until(lambda: operator.runs("--status", "succeeded"))
        finally:
            over.set()
            for visitor in visitors:
                visitor.join()
        assert set(answers) <= {200}
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        for one in silent[60:]:
            one.close()


def test_nowhere_to_listen_is_no_server(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_WEB__LISTEN"] = ""
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        wait_until(lambda: operator.runs("--status", "succeeded"))
    assert not said(operator, "web_listening")


def test_the_objective_is_taken_over_by_sighup(operator: Operator) -> None:
    config = operator.home / "config.toml"
    config.write_text('[health]\nfresh_within = "2d"\n')
    operator.environ["CONTACTS_SYNC_CONFIG"] = str(config)
    with operator.daemon() as daemon:
        url = address_of(operator)
        assert "contacts_sync_freshness_objective_seconds 172800.0" in requests.get(url + "metrics", timeout=20).text
        config.write_text('[health]\nfresh_within = "1d"\n')
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: said(operator, "configuration_reloaded"))
        with closing(requests.get(url + "metrics", timeout=20)) as answer:
            assert "contacts_sync_freshness_objective_seconds 86400.0" in answer.text
