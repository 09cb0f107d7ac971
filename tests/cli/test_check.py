"""`contacts-sync check`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from contacts_sync import logs, vault
from contacts_sync.cli.check_google import clock
from contacts_sync.cli.check_host import disk, unit
from contacts_sync.cli.findings import looked
from contacts_sync.errors import ContactsSyncError
from contacts_sync.model import OwnSchedule, Pause
from contacts_sync.store import connections, nodes
from contacts_sync.store.engine import write
from contacts_sync.store.tables import oauth_tokens
from tests.cli.given import connected, joined, now, reauth, store, without_tokens
from tests.operating import Operator

GOOGLE = ["credentials", "token endpoint", "google", "clock"]
STORE = ["store", "schema", "tokens", "users", "schedules"]
NAMES = ["config", "key", *GOOGLE, "disk", *STORE, "daemon"]


def checks(operator: Operator, *, code: int = 0) -> dict[str, str]:
    """The messages of what failed."""
    document = operator.json("check", code=code)
    assert document["ok"] == (code == 0) == all(check["ok"] for check in document["checks"])
    assert set(NAMES) <= {check["name"] for check in document["checks"]} or code
    return {check["name"]: check["message"] for check in document["checks"] if not check["ok"]}


def test_all_is_well(operator: Operator) -> None:
    joined(operator, "alice")
    assert checks(operator) == {}
    lines = operator.run("check").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [*(f"pass  {name}" for name in NAMES[:-1]), "warn  daemon"]


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


def test_what_others_may_write_to_or_read_is_told(operator: Operator) -> None:
    path = operator.home / "config.toml"
    path.touch()
    path.chmod(0o660)
    (operator.home / "store.db").chmod(0o640)
    operator.environ["CONTACTS_SYNC_CONFIG"] = str(path)
    told = {one["name"]: one for one in operator.json("check")["checks"]}
    assert told["config"]["level"] == "warn"
    assert f"chmod g-w {path}" in told["config"]["message"]
    assert "0640" in told["file"]["message"]


def test_a_time_zone_that_is_lost_is_told(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        without_tokens(db)
        with write(db) as tx:
            connections.set_schedule(tx, "alice", OwnSchedule(timezone="Mars/Olympus"), now=now())
    told = {one["name"]: one for one in operator.json("check")["checks"]}
    assert "UTC holds instead" in told["schedules"]["message"]
    found = operator.user("alice")
    assert (found["timezone"], "Mars/Olympus" in found["note"]) == ("UTC", True)
    assert found["next_run_at"]


def test_an_oauth_client_that_google_does_not_know_is_told(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_GOOGLE__CLIENT_SECRET"] = "wrong"
    assert "invalid_client" in checks(operator, code=1)["token endpoint"]


def test_without_service_accounts_an_oauth_client_is_needed(operator: Operator) -> None:
    joined(operator, "alice")
    del operator.environ["CONTACTS_SYNC_GOOGLE__CLIENT_ID"]
    assert checks(operator, code=1).keys() == {"credentials"}


@pytest.mark.parametrize(("mode", "told"), [(0o604, "open to everybody"), (0o600, "fewer than")])
def test_a_password_file_that_the_dashboard_would_refuse_is_told(operator: Operator, mode: int, told: str) -> None:
    password = operator.home / "web-password"
    password.write_text("short")
    password.chmod(mode)
    operator.environ["CONTACTS_SYNC_WEB__LISTEN"] = "127.0.0.1:8787"
    operator.environ["CONTACTS_SYNC_WEB__PASSWORD_FILE"] = str(password)
    assert told in checks(operator, code=1)["web"]


def levels(operator: Operator) -> dict[str, str]:
    return {check["name"]: check["level"] for check in operator.json("check")["checks"]}


def test_users_who_must_consent_again_are_a_warning(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        reauth(db, "alice")
        with write(db) as tx:
            tx.execute(oauth_tokens.delete())
    assert levels(operator)["users"] == "warn"


def test_a_schedule_that_is_never_due_is_told_with_its_cure(operator: Operator) -> None:
    joined(operator, "alice")
    with store(operator) as db, write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule("0 0 30 2 *"), now=now())
    assert checks(operator, code=1).keys() == {"schedules"}


def test_check_says_when_the_old_key_can_go(operator: Operator) -> None:
    joined(operator, "alice")
    key = operator.home / "key"
    key.write_text(f"{vault.generate_key()}\n{key.read_text()}")
    assert "key rotate" in operator.run("check").stdout
    operator.run("key", "rotate")
    told = operator.run("check").stdout
    assert f"remove the older keys from {key}" in told
    key.write_text(key.read_text().splitlines()[0])
    assert "rotation" not in levels(operator)


def test_a_users_grant_is_tried_for_real(operator: Operator) -> None:
    joined(operator, "alice")
    before = operator.google.count("token")
    assert [line for line in operator.run("check", "alice").stdout.splitlines() if "grant" in line]
    assert operator.google.count("token") == before + 2  # the client, and alice's refresh
    operator.run("check", "nobody", code=3)
    operator.google.world.account("alice@example.com").revoke_grants()
    assert "grant" in {check["name"] for check in operator.json("check", "alice", code=1)["checks"] if not check["ok"]}


@pytest.mark.parametrize(("free", "level"), [(10**10, "ok"), (10**8, "warn"), (10**6, "fail")])
def test_a_disk_that_fills_up_is_told(free: int, level: str) -> None:
    assert disk(Path("/somewhere"), free).level == level


@pytest.mark.parametrize(
    ("active", "enabled", "level"),
    [
        ("active", "enabled", "ok"),
        ("active", "disabled", "warn"),
        ("inactive", "enabled", "warn"),
        ("failed", "enabled", "fail"),
    ],
)
def test_the_unit_is_judged_by_what_systemd_says_of_it(active: str, enabled: str, level: str) -> None:
    shown = {"LoadState": "loaded", "ActiveState": active, "UnitFileState": enabled}
    assert [found.level for found in unit(shown)] == [level]
    assert not list(unit({"LoadState": "not-found"}))


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
    assert clock(date).ok


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


def test_a_finding_repeats_no_secret() -> None:
    logs.remember("the-client-secret", lasting=True)
    found = looked("grant", lambda: _refuse("Google refuses the-client-secret", hint="change the-client-secret"))
    assert "the-client-secret" not in f"{found.line}{found.document}"


def _refuse(message: str, *, hint: str) -> str:
    raise ContactsSyncError(message, hint=hint)
