"""The daemon as a sysadmin meets it: slots, catch-up, signals, a second one, a broken user."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from contacts_sync.sandbox import Sandbox
from tests.launcher import Launcher
from tests.operating import Operator, mirror, wait_until
from tests.postgres import Server, serve

ALICE = "alice@example.com"


def log_of(operator: Operator, event: str) -> list[dict[str, object]]:
    lines = (operator.home / "daemon.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def test_a_due_slot_becomes_one_scheduled_run(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(2)
    operator.init()
    operator.connect("alice", "--cron", "* * * * *", account=ALICE)
    operator.run("run-now", "alice")
    with operator.daemon():
        wait_until(lambda: [run for run in operator.runs("--status", "succeeded") if run["slot"]], seconds=90)
    scheduled = [run for run in operator.runs() if run["trigger"] == "schedule"]
    assert scheduled
    assert str(scheduled[0]["slot"]).endswith("[UTC]")
    finished = log_of(operator, "run_finished")[-1]
    assert finished["user"] == "alice"
    assert {"run_id", "kind", "trigger", "outcome", "attempts", "contacts_imported", "seconds"} <= finished.keys()


def test_a_missed_slot_is_caught_up_once(tmp_path: Path, google: Sandbox, launcher: Launcher) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    google.world.add_account(ALICE)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    with closing(sqlite3.connect(tmp_path / "store.db")) as store, store:
        store.execute("UPDATE connections SET scheduled_since = '2026-01-01T00:00:00.000000+00:00'")
        store.execute("UPDATE sync_states SET queued_until = '2026-01-01T00:00:00.000000+00:00'")
    for _ in range(2):
        with operator.daemon():
            wait_until(lambda: not [run for run in operator.runs() if run["status"] in ("queued", "running")])
    caught_up = [run for run in operator.runs() if run["trigger"] == "catch_up"]
    assert [run["status"] for run in caught_up] == ["succeeded"]


def test_a_second_daemon_on_the_same_sqlite_store_is_refused_with_the_firsts_name(
    tmp_path: Path, google: Sandbox, launcher: Launcher
) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    operator.init()
    with operator.daemon() as first:
        said = operator.run("daemon", code=75).stderr
        assert f"pid {first.pid}" in said


def test_two_daemons_share_postgresql_and_no_run_is_doubled(operator: Operator) -> None:
    if operator.url.startswith("sqlite"):
        pytest.skip("on SQLite one daemon holds the store")
    operator.init()
    for number in range(4):
        operator.google.world.add_account(f"u{number}@example.com").add_people(3)
    with operator.daemon(), operator.daemon():
        for number in range(4):
            operator.connect(f"u{number}", account=f"u{number}@example.com")
        wait_until(lambda: len(operator.runs("--status", "succeeded")) == 4)
    assert [run["starts"] for run in operator.runs()] == [1] * 4


def test_sighup_takes_what_can_change_and_names_the_rest(tmp_path: Path, google: Sandbox, launcher: Launcher) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    operator.init()
    config = tmp_path / "config.toml"
    config.write_text("[sync]\nworkers = 2\n")
    operator.environ["CONTACTS_SYNC_CONFIG"] = str(config)
    with operator.daemon() as daemon:
        config.write_text('[sync]\nworkers = "many"\n')
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: log_of(operator, "reload_refused"))
        config.write_text("[sync]\nworkers = 4\n[google]\nclient_secrets_file = '/elsewhere'\n")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: log_of(operator, "configuration_reloaded"))
    assert log_of(operator, "configuration_reloaded")[0]["needs_restart"] == ["google"]


def test_ctrl_c_ends_the_daemon_gracefully(operator: Operator) -> None:
    operator.init()
    with operator.daemon() as daemon:
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(20) == 0


def test_one_broken_user_stops_nobody(tmp_path: Path, google: Sandbox, launcher: Launcher) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    operator.init()
    for user in ("alice", "bob", "cyd"):
        google.world.add_account(f"{user}@example.com").add_people(2)
        operator.connect(user, account=f"{user}@example.com")
    with closing(sqlite3.connect(tmp_path / "store.db")) as store, store:
        store.execute("UPDATE connections SET cron = 'nonsense' WHERE user_id = 'alice'")
        store.execute("UPDATE oauth_tokens SET sealed = 'nonsense' WHERE user_id = 'bob'")
    with operator.daemon():
        wait_until(lambda: operator.user("cyd")["contacts"] == 2)
        wait_until(lambda: operator.user("bob")["status"] == "needs_reauth")
        assert "nonsense" in operator.user("alice")["note"]
        assert "contacts-sync connect bob" in operator.user("bob")["note"]
    assert log_of(operator, "schedule_broken")[0]["user"] == "alice"


def test_systemd_hears_ready_watchdog_and_stopping(tmp_path: Path, google: Sandbox, launcher: Launcher) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher)
    operator.init()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        operator.environ |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        process = operator.start("daemon", stderr=subprocess.DEVNULL)
        heard: set[str] = set()
        while not {"READY=1", "WATCHDOG=1"} <= heard:
            heard.add(systemd.recv(1000).decode())
        assert any(text.startswith("STATUS=0 users, 0 queued, 0 running, next run none") for text in heard)
        process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in heard:
            heard.add(systemd.recv(1000).decode())
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_disconnect_during_a_sync_lets_nothing_more_be_written(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(25)
    operator.environ["CONTACTS_SYNC_SYNC__PAGE_SIZE"] = "10"
    operator.init()
    gate = operator.google.faults.hold("people", page=2)
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        assert gate.arrived.wait(30)
        operator.run("disconnect", "alice")
        before = len(operator.contacts("alice"))
        gate.release()
        wait_until(lambda: log_of(operator, "run_finished"))
    assert (before, len(operator.contacts("alice"))) == (10, 10)
    assert [run["status"] for run in operator.runs()] == ["cancelled"]


def test_a_wrong_key_is_found_at_start_and_blames_no_user(operator: Operator) -> None:
    operator.google.world.add_account(ALICE)
    operator.init()
    operator.connect("alice", account=ALICE)
    key = operator.home / "key"
    right = key.read_text()
    key.write_text(operator.run("key", "generate").stdout)
    assert "opens any of the store's tokens" in operator.run("daemon", code=78).stderr
    key.write_text(right)
    with operator.daemon():
        wait_until(lambda: operator.runs("--status", "succeeded"))
        key.write_text(operator.run("key", "generate").stdout)
        assert "opens any" in operator.run("run-now", "alice", code=1).stderr
    assert operator.user("alice")["status"] == "connected"


def test_a_daemon_whose_store_is_locked_still_stops_with_0_and_loses_no_run(
    tmp_path: Path, google: Sandbox, launcher: Launcher
) -> None:
    operator = Operator(tmp_path, google, f"sqlite:///{tmp_path}/store.db", launcher, DAEMON__SHUTDOWN_GRACE="1s")
    google.world.add_account(ALICE).add_people(3)
    operator.init()
    operator.connect("alice", account=ALICE)
    gate = google.faults.hold("people")
    with operator.daemon() as process:
        assert gate.arrived.wait(30)
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            other.rollback()
    gate.release()
    with operator.daemon():
        wait_until(lambda: operator.runs("--status", "succeeded"))


def test_a_run_outlives_a_crash_of_the_database_server_inside_a_transaction(
    tmp_path: Path, google: Sandbox, launcher: Launcher, postgres: Server
) -> None:
    """D16."""
    settings = {"SYNC__PAGE_SIZE": "10", "SYNC__BACKOFF": "2s"}
    operator = Operator(tmp_path, google, postgres.new_database(), launcher, **settings)
    google.world.add_account(ALICE).add_people(25)
    operator.init()
    gate = google.faults.hold("people", page=2)
    with operator.daemon(), closing(psycopg.connect(operator.url.replace("+psycopg", ""))) as other:
        operator.connect("alice", account=ALICE)
        assert gate.arrived.wait(30)
        other.execute("LOCK TABLE contact_emails")
        gate.release()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'contact_emails'::regclass"
        wait_until(lambda: other.execute(waiting).fetchone() == (1,))
        postgres.restart(signal.SIGQUIT)
        wait_until(lambda: operator.runs("--status", "succeeded"))
    assert log_of(operator, "attempt_failed")[0]["error_type"] == "StoreUnavailable"
    assert [run["contacts_imported"] for run in operator.runs()] == [25]
    mirror(operator, "alice", ALICE)


def test_a_daemon_that_finds_a_standby_in_its_servers_place_waits_until_it_is_promoted(
    tmp_path: Path, google: Sandbox, launcher: Launcher
) -> None:
    """D21."""
    google.world.add_account(ALICE).add_people(2)
    with serve() as server:
        operator = Operator(tmp_path, google, server.new_database(), launcher)
        operator.init()
        with operator.daemon():
            operator.connect("alice", account=ALICE)
            wait_until(lambda: operator.runs("--status", "succeeded"))
            (server.folder / "data" / "standby.signal").touch()
            server.restart()
            assert "takes no writes" in operator.run("run-now", "alice", code=75).stderr
            wait_until(lambda: "takes no writes" in (operator.home / "daemon.log").read_text())
            server.execute(sql.SQL("SELECT pg_promote()"))
            operator.run("run-now", "alice")
    assert log_of(operator, "daemon_error") == []


def test_a_daemon_whose_database_server_is_away_says_so_and_leaves_the_next_start_to_systemd(
    tmp_path: Path, google: Sandbox, launcher: Launcher
) -> None:
    """D17."""
    operator = Operator(tmp_path, google, f"postgresql+psycopg://postgres@/store?host={tmp_path}", launcher)
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text(operator.run("key", "generate").stdout)
    (said,) = operator.run("daemon", code=75).stderr.splitlines()
    assert "the store isn't available" in said
    assert "see that the database server is up" in said
    unit = (Path(__file__).parents[2] / "systemd" / "contacts-sync.service").read_text().splitlines()
    assert {"Restart=on-failure", "RestartPreventExitStatus=78"} <= set(unit)
