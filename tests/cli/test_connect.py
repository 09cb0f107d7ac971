"""`contacts-sync connect`, and how a person is asked for consent."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from contacts_sync.sandbox import faults
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import read
from tests.cli.given import connected, store
from tests.operating import Operator, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"


def consenting(operator: Operator, *words: str, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Connect with --json and the sandbox's consent; the answer is the stream and what stderr said."""
    process = operator.start("connect", *words, "--no-browser", "--json")
    assert process.stdout
    first = process.stdout.readline()
    requests.get(json.loads(first)["url"], timeout=20)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    return [json.loads(line) for line in (first + out).splitlines()], err


def asked(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    return parse_qs(urlsplit(events[0]["url"]).query)


@pytest.fixture
def accounts(operator: Operator) -> Operator:
    for email in (ALICE, BOB):
        operator.google.world.add_account(email)
    return operator


def test_a_connected_user_is_told_as_a_stream_and_has_a_full_run_queued(accounts: Operator) -> None:
    events, _ = consenting(accounts, "alice", "--cron", "30 3 * * *", "--timezone", "Europe/Berlin")
    assert [event["event"] for event in events] == ["authorization_url", "connected"]
    assert (events[1]["user_id"], events[1]["google_account"]) == ("alice", ALICE)
    (run,) = accounts.runs()
    assert (run["id"], run["kind"], run["trigger"], run["status"]) == (events[1]["run_id"], "full", "connect", "queued")
    user = accounts.user("alice")
    assert (user["cron"], user["timezone"], user["status"]) == ("30 3 * * *", "Europe/Berlin", "connected")
    assert "code_challenge" in asked(events)
    assert "login_hint" not in asked(events)


def test_the_url_stands_alone_on_its_line_and_what_comes_next_is_said(accounts: Operator) -> None:
    process = accounts.start("connect", "alice", "--no-browser")
    assert process.stdout
    requests.get(process.stdout.readline().strip(), timeout=20)
    out, err = process.communicate(timeout=30)
    assert "Open this address" in err
    assert f"alice is connected to {ALICE}" in out
    assert "contacts-sync run-now alice" in out


def test_a_missing_store_is_made(newcomer: Operator) -> None:
    newcomer.google.world.add_account(ALICE)
    (newcomer.home / "key").touch(0o600)
    (newcomer.home / "key").write_text(newcomer.run("key", "generate").stdout)
    newcomer.connect("alice", account=ALICE)
    assert newcomer.user("alice")["google_account"] == ALICE


def test_connecting_again_keeps_the_schedule_and_hints_at_the_account(accounts: Operator) -> None:
    consenting(accounts, "alice", "--cron", "30 3 * * *")
    events, _ = consenting(accounts, "alice", "--timezone", "Asia/Tokyo")
    assert asked(events)["login_hint"] == [ALICE]
    assert (accounts.user("alice")["cron"], accounts.user("alice")["timezone"]) == ("30 3 * * *", "Asia/Tokyo")


def test_another_google_account_is_refused_unless_it_is_a_switch(accounts: Operator) -> None:
    consenting(accounts, "alice")
    accounts.google.consent.account = BOB
    events, _ = consenting(accounts, "alice", code=1)
    assert "--switch-account" in events[1]["error"]["hint"]
    assert accounts.user("alice")["google_account"] == ALICE
    events, _ = consenting(accounts, "alice", "--switch-account")
    assert "login_hint" not in asked(events)
    assert accounts.user("alice")["google_account"] == BOB


@pytest.mark.parametrize(
    "words",
    [
        ["--cron", "nonsense"],
        ["--cron", ""],
        ["--timezone", "Mars/X"],
        ["--timezone", ""],
        ["--timeout", "soon"],
        ["--timeout", "0"],
        ["--timeout", "-5"],
        ["--timeout", "2d"],
        ["--timeout", "9" * 40],
        ["--redirect-port", "70000"],
    ],
)
def test_wrong_words_are_refused_before_anybody_is_asked(newcomer: Operator, words: list[str]) -> None:
    said = newcomer.run("connect", "alice", "--no-browser", *words, code=2)
    assert not said.stdout
    assert not list(newcomer.home.iterdir())


def test_keys_and_credentials_are_checked_before_anybody_is_asked(operator: Operator) -> None:
    (operator.home / "key").unlink()
    assert "there is no key file" in operator.run("connect", "alice", "--no-browser", code=78).stderr
    operator.environ["CONTACTS_SYNC_GOOGLE__CLIENT_ID"] = ""
    said = operator.run("connect", "alice", "--no-browser", code=78)
    assert "no OAuth client" in said.stderr
    assert not said.stdout


def test_a_refused_consent_stores_nothing(accounts: Operator) -> None:
    accounts.google.consent.error = "access_denied"
    events, _ = consenting(accounts, "alice", code=1)
    assert events[1]["error"]["message"] == "consent was refused"
    assert accounts.json("status")["users"] == []


def test_somebody_who_never_comes_back_is_not_waited_for_for_ever(accounts: Operator) -> None:
    said = accounts.run("connect", "alice", "--no-browser", "--timeout", "1", code=1)
    assert said.stderr.splitlines()[-1].startswith("error: nobody gave consent in time")
    assert accounts.json("status")["users"] == []


def test_who_connects_twice_at_once_is_connected_once_and_can_be_synced(accounts: Operator) -> None:
    both = [accounts.start("connect", "alice", "--no-browser") for _ in range(2)]
    for process in both:
        assert process.stdout
        requests.get(process.stdout.readline().strip(), timeout=20)
    for process in both:
        process.communicate(timeout=30)
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(run["status"] for run in accounts.runs()) == ["cancelled", "queued"]
    assert [user["user_id"] for user in accounts.json("status")["users"]] == ["alice"]
    accounts.run("run-now", "alice")


def test_an_unticked_box_stores_nothing(accounts: Operator) -> None:
    accounts.google.consent.scopes = ["openid", "https://www.googleapis.com/auth/userinfo.email"]
    events, _ = consenting(accounts, "alice", code=1)
    assert events[1]["error"]["type"] == "ConsentFailed"
    assert accounts.json("status")["users"] == []


def test_a_grant_that_ends_in_a_week_is_a_warning(accounts: Operator) -> None:
    week = faults.edited(lambda answer: answer.update(refresh_token_expires_in=604800))
    accounts.google.faults.add("token", week)
    _, err = consenting(accounts, "alice")
    assert "the consent screen is in Testing" in err


def test_a_fixed_port_is_used_and_a_taken_one_refused(accounts: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = accounts.run("connect", "alice", "--no-browser", "--redirect-port", str(port), code=2)
    assert f"port {port}" in said.stderr
    events, err = consenting(accounts, "alice", "--redirect-port", str(port))
    assert asked(events)["redirect_uri"][0].startswith(f"http://127.0.0.1:{port}/")
    assert f"ssh -N -L {port}:127.0.0.1:{port}" in err


def answered(operator: Operator, user: str, change: Any = lambda address: address, code: int = 0) -> str:
    """Connect with --paste: the address a browser ends at, changed, is pasted; the answer is what stderr said."""
    process = operator.start("connect", user, "--paste")
    assert process.stdout
    answer = requests.get(process.stdout.readline().strip(), allow_redirects=False, timeout=20)
    _, err = process.communicate(change(answer.headers["Location"]) + "\n", timeout=30)
    assert process.returncode == code, err
    return err


def test_the_address_can_be_pasted(accounts: Operator) -> None:
    answered(accounts, "alice", lambda address: f"  {address} ")
    assert accounts.user("alice")["google_account"] == ALICE


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "https://evil.example/?code=x&state=y",
        lambda address: address.replace("state=", "state=x"),
    ],
)
def test_a_wrong_paste_is_refused(accounts: Operator, change: Any) -> None:
    assert answered(accounts, "alice", change, code=1).splitlines()[-1].startswith("error: ")
    assert accounts.json("status")["users"] == []


def test_a_paste_may_be_broken_into_lines(accounts: Operator) -> None:
    answered(accounts, "alice", lambda address: "\n".join(address[at : at + 40] for at in range(0, len(address), 40)))
    assert accounts.user("alice")["google_account"] == ALICE


def authorized(operator: Operator, *words: str) -> str:
    """What `authorize` prints once the sandbox has consented."""
    process = operator.start("authorize", "--no-browser", *words)
    assert process.stderr
    address = next(line for line in iter(process.stderr.readline, "") if line.startswith("http"))
    requests.get(address.strip(), timeout=20)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


def test_consent_can_be_given_on_a_machine_without_secrets(accounts: Operator, tmp_path: Path) -> None:
    (home := tmp_path / "laptop").mkdir()
    laptop = Operator(home, accounts.google, f"sqlite:///{home}/none.db")
    client = laptop.environ.pop("CONTACTS_SYNC_GOOGLE__CLIENT_ID")
    del laptop.environ["CONTACTS_SYNC_GOOGLE__CLIENT_SECRET"]
    grant = authorized(laptop, "--client-id", client)
    assert accounts.json("connect", "alice", "--grant", "-", typed=grant)["google_account"] == ALICE
    assert not list(home.iterdir())


def test_a_brought_grant_works_once_and_only_whole(accounts: Operator) -> None:
    grant = authorized(accounts)
    cut = accounts.run("connect", "alice", "--grant", "-", typed=grant[:80], code=1)
    assert "a part is missing" in cut.stderr
    accounts.run("connect", "alice", "--grant", "-", typed=grant)
    again = accounts.run("connect", "bob", "--grant", "-", typed=grant, code=1)
    assert "used or too old" in again.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["alice", "--paste", "--grant", "-"],
        ["alice", "--from-csv", "x.csv"],
        ["--from-csv", "x.csv"],
        ["alice", "--subject", "nobody", "--service-account", "k.json"],
    ],
)
def test_words_that_contradict_each_other_are_refused(newcomer: Operator, words: list[str]) -> None:
    newcomer.run("connect", *words, code=2)


def test_a_grant_that_cannot_be_renewed_is_not_stored(accounts: Operator) -> None:
    accounts.google.faults.add("token", faults.edited(lambda _: None))
    accounts.google.faults.add("token", faults.invalid_grant())
    events, _ = consenting(accounts, "alice", code=4)
    assert events[1]["error"]["type"] == "GrantRejected"
    assert accounts.json("status")["users"] == []


def test_a_consent_that_is_interrupted_before_it_is_stored_leaves_nothing_at_google(accounts: Operator) -> None:
    gate = accounts.google.faults.hold("groups")
    process = accounts.start("connect", "alice", "--no-browser")
    assert process.stdout
    requests.get(process.stdout.readline().strip(), timeout=20)
    assert gate.arrived.wait(30)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    gate.release()
    assert (process.returncode, accounts.google.count("revoke")) == (130, 1)
    assert accounts.json("status")["users"] == []


def test_the_tunnel_is_spelled_out_for_who_came_over_ssh(accounts: Operator) -> None:
    accounts.environ |= {"SSH_CONNECTION": "192.0.2.7 5000 192.0.2.1 22", "USER": "root"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    _, err = consenting(accounts, "alice", "--redirect-port", port)
    assert f"ssh -N -L {port}:127.0.0.1:{port} root@192.0.2.1" in err


def test_a_browser_is_opened_where_there_are_windows(accounts: Operator, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho noise\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    accounts.environ["BROWSER"] = str(browser)
    process = accounts.start("connect", "alice")
    wait_until(opened.exists)
    requests.get(opened.read_text().strip(), timeout=20)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"alice is connected to {ALICE}" in out
    assert "noise" not in out


def test_a_user_who_was_there_keeps_its_place(accounts: Operator) -> None:
    with store(accounts) as db:
        connected(db, "bob")
    consenting(accounts, "alice")
    with store(accounts) as db, read(db) as tx:
        assert {one.user_id for one in connections.every(tx)} == {"alice", "bob"}
        assert list(runs.active(tx)) == ["alice"]


def test_no_secret_is_seen_by_other_users_of_the_machine(accounts: Operator) -> None:
    process = accounts.start("connect", "alice", "--no-browser")
    assert process.stdout
    process.stdout.readline()
    words = Path(f"/proc/{process.pid}/cmdline").read_text()
    process.kill()
    process.communicate()
    assert accounts.google.client_secret not in words
