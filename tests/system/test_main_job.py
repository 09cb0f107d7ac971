"""The main job, from the door: connect, full, change, incremental, disconnect, reconnect, on both databases."""

from __future__ import annotations

import signal
from contextlib import ExitStack

from contacts_sync.sandbox import faults
from tests.operating import Operator, mirror, wait_until

ALICE = "alice@example.com"


def test_a_users_contacts_follow_google_through_connect_changes_and_reconnect(operator: Operator) -> None:
    operator.launcher = None  # as a shell starts programs: once on each database, from the first byte to the last
    account = operator.google.world.add_account(ALICE)
    ada, bob, eve = (
        account.add_person(given_name=name, emails=[f"{name}@x.example"]) for name in ("Ada", "Bob", "Eve")
    )
    operator.init()
    operator.connect("alice", account=ALICE)
    first = operator.json("run-now", "alice")["runs"][0]
    assert (first["kind"], first["trigger"], first["status"]) == ("full", "connect", "succeeded")
    assert first["contacts_imported"] == 3
    mirror(operator, "alice", ALICE)

    account.change_person(ada, given_name="Augusta")
    account.delete_person(bob)
    account.add_person(given_name="Cyd")
    second = operator.json("run-now", "alice")["runs"][0]
    assert second["kind"] == "incremental"
    assert [second[f"contacts_{what}"] for what in ("imported", "updated", "deleted")] == [1, 1, 1]
    mirror(operator, "alice", ALICE)

    ids = {contact["resource_name"]: contact["id"] for contact in operator.contacts("alice")}
    operator.run("disconnect", "alice")
    operator.run("run-now", "alice", code=3)
    assert len(operator.contacts("alice")) == 3
    operator.connect("alice", account=ALICE)
    third = operator.json("run-now", "alice")["runs"][0]
    assert (third["kind"], third["contacts_imported"], third["contacts_updated"]) == ("full", 0, 0)
    assert {contact["resource_name"]: contact["id"] for contact in operator.contacts("alice")} == ids
    assert eve in ids


def test_run_now_from_twenty_processes_makes_one_run(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(3)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    gate = operator.google.faults.hold("people")
    with ExitStack() as stack:
        said = [stack.enter_context((operator.home / f"said-{n}").open("w+")) for n in range(20)]
        waiting = [operator.start("run-now", "alice", "--json", stderr=file) for file in said]
        joined = [operator.home / f"said-{n}" for n in range(20)]
        wait_until(lambda: sum("joined" in path.read_text() for path in joined) == 19, seconds=90)
        gate.release()
        codes = [process.wait(90) for process in waiting]
        for process in waiting:
            process.communicate()
    assert codes == [0] * 20
    assert len(operator.runs("--user", "alice")) == 2


def test_a_connect_while_the_daemon_runs_is_synced_within_seconds(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(5)
    operator.init()
    with operator.daemon():
        operator.connect("alice", account=ALICE)
        wait_until(lambda: operator.user("alice")["contacts"] == 5, seconds=15)
    mirror(operator, "alice", ALICE)


def test_a_daemon_killed_in_the_middle_ends_equal_to_google_after_a_restart(operator: Operator) -> None:
    account = operator.google.world.add_account(ALICE)
    account.add_people(25)
    operator.environ["CONTACTS_SYNC_SYNC__PAGE_SIZE"] = "10"
    operator.init()
    gate = operator.google.faults.hold("people", page=2)
    with operator.daemon() as daemon:
        operator.connect("alice", account=ALICE)
        assert gate.arrived.wait(30)
        daemon.kill()
        daemon.wait()
    gate.release()
    with operator.daemon():
        wait_until(lambda: [run["status"] for run in operator.runs()] == ["succeeded"])
    mirror(operator, "alice", ALICE)
    assert operator.runs()[0]["contacts_imported"] == 25


def test_sigterm_lets_a_run_go_on_later_and_costs_no_attempt(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(25)
    operator.environ |= {"CONTACTS_SYNC_SYNC__PAGE_SIZE": "10", "CONTACTS_SYNC_DAEMON__SHUTDOWN_GRACE": "0s"}
    operator.init()
    gate = operator.google.faults.hold("people", page=2)
    with operator.daemon() as daemon:
        operator.connect("alice", account=ALICE)
        assert gate.arrived.wait(30)
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: "daemon_stopping" in (operator.home / "daemon.log").read_text())
        gate.release()
        assert daemon.wait(20) == 0
    assert [(run["status"], run["attempts"]) for run in operator.runs()] == [("queued", 0)]
    operator.run("run-now", "alice")
    mirror(operator, "alice", ALICE)


def test_a_revoked_grant_is_said_with_the_command_that_heals_it(operator: Operator) -> None:
    account = operator.google.world.add_account(ALICE)
    account.add_people(2)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    account.revoke_grants()
    failed = operator.run("run-now", "alice", code=4)
    assert "contacts-sync connect alice" in failed.stderr
    status = operator.user("alice")
    assert (status["status"], status["next_run_at"]) == ("needs_reauth", None)
    assert "contacts-sync connect alice" in status["note"]
    operator.run("run-now", "alice", code=4)
    operator.connect("alice", account=ALICE)
    assert operator.json("run-now", "alice")["runs"][0]["status"] == "succeeded"


def test_trouble_of_the_project_fails_nobody_and_heals_by_itself(operator: Operator) -> None:
    operator.google.world.add_account(ALICE).add_people(2)
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.google.faults.add("groups", faults.service_disabled())
    said = operator.run("run-now", "alice", code=1)
    assert "console.developers.google.com" in said.stderr
    assert operator.user("alice")["status"] == "connected"
    assert [run["status"] for run in operator.runs()] == ["queued"]
    operator.google.faults.clear()
    operator.run("run-now", "alice")
    mirror(operator, "alice", ALICE)
