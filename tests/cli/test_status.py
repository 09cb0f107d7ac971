"""`contacts-sync status`."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contacts_sync import vault
from contacts_sync.model import Node, OwnSchedule
from contacts_sync.store import connections, contacts, nodes, runs
from contacts_sync.store.engine import Database, write
from tests.cli.given import connected, failed, joined, now, people, reauth, store
from tests.operating import Operator

COLUMNS = {
    *("user_id", "google_account", "google_sub", "status", "cron", "timezone", "connected_at", "disconnected_at"),
    *("last_status", "last_error", "last_full_sync_at", "last_incremental_sync_at", "last_success_at"),
    *("consecutive_failures", "next_run_at", "contacts", "note"),
}


def beat(db: Database, **changes: object) -> None:
    host, boot_id = nodes.this_host()
    node = Node("w1", "daemon", host, boot_id, os.getpid(), "1.2", now(), now())
    with write(db) as tx:
        nodes.beat(tx, replace(node, **changes))  # type: ignore[arg-type]  # field by field


def test_a_user_has_all_its_columns(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        people(db, "alice", {}, {})
        failed(db, "alice")
    (user,) = operator.json("status", "alice")["users"]
    assert user.keys() >= COLUMNS
    assert (user["google_account"], user["contacts"], user["status"]) == ("alice@example.com", 2, "connected")
    assert (user["consecutive_failures"], user["last_error"]) == (1, "it broke")


def test_the_next_run_is_the_next_slot_of_the_users_schedule(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice", "bob")
        with write(db) as tx:
            connections.set_schedule(tx, "bob", OwnSchedule("30 2 * * *"), now=now())
        reauth(db, "bob")
    alice, bob = operator.json("status")["users"]
    due = datetime.fromisoformat(alice["next_run_at"])
    assert (due.hour, due.minute) == (2, 0)
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(days=1)
    assert (bob["status"], bob["cron"], bob["next_run_at"]) == ("needs_reauth", "30 2 * * *", None)


def test_a_disconnected_user_has_no_schedule(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        with write(db) as tx:
            connections.disconnect(tx, "alice", now())
    (user,) = operator.json("status")["users"]
    assert (user["status"], user["cron"], user["next_run_at"], user["note"]) == ("disconnected", None, None, None)
    assert user["disconnected_at"].endswith("Z")


def test_a_daemon_is_alive_while_its_process_is(operator: Operator) -> None:
    operator.environ["CONTACTS_SYNC_DAEMON__HEARTBEAT"] = "1m"
    with store(operator) as db:
        beat(db)
        beat(db, worker_id="w2", pid=2**22 - 1)
        beat(db, worker_id="w3", host="elsewhere", heartbeat_at=now() - timedelta(hours=1))
        beat(db, worker_id="w4", role="command")
    daemons = operator.json("status")["daemons"]
    assert {one["worker_id"]: one["alive"] for one in daemons} == {"w1": True, "w2": False, "w3": False}
    assert daemons[0].keys() == {"worker_id", "host", "pid", "version", "started_at", "heartbeat_at", "alive"}
    assert daemons[0]["host"] == socket.gethostname()


def test_people_are_told_what_to_do(operator: Operator) -> None:
    assert "contacts-sync connect USER" in operator.run("status").stdout
    with store(operator) as db:
        connected(db, "alice")
        reauth(db, "alice")
    told = operator.run("status").stdout
    assert "daemon: not running" in told
    assert "alice: the grant was revoked; schedule paused; next: contacts-sync connect alice" in told


def test_a_user_that_was_never_connected_is_three(operator: Operator) -> None:
    assert operator.json("status", "nobody", code=3)["error"]["type"] == "UnknownUser"


def test_a_key_that_opens_nobodys_tokens_is_told_to_everybody(operator: Operator) -> None:
    joined(operator, "alice")
    assert "no key" not in str(operator.user("alice")["note"])
    (operator.home / "key").write_text(vault.generate_key())
    assert "if it is lost, next: contacts-sync connect alice" in operator.user("alice")["note"]
    (operator.home / "key").unlink()
    assert "no key" not in str(operator.user("alice")["note"])


def test_contacts_that_cannot_be_read_are_counted(operator: Operator) -> None:
    joined(operator, "alice")
    with store(operator) as db, write(db) as tx:
        contacts.keep_unreadable(tx, "alice", ["{}", "[]"], now())
        runs.cancel(tx, "alice", now())
    user = operator.user("alice")
    assert user["unreadable_contacts"] == 2
    assert user["note"].startswith("2 contacts came without a name")
