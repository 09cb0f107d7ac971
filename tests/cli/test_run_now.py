"""`contacts-sync run-now`: queue, wait, tell."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from contacts_sync import vault
from contacts_sync.model import RunKind, RunStatus, Trigger
from contacts_sync.sandbox import faults
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import read, write
from tests.cli.given import connected, failed, joined, now, reauth, store
from tests.operating import Operator


@pytest.fixture
def alice(operator: Operator) -> Operator:
    """Connected, with three contacts at Google and the first run done."""
    joined(operator, "alice", people=3)
    operator.run("run-now", "alice")
    return operator


def test_a_run_is_carried_out_here_while_there_is_no_daemon(alice: Operator) -> None:
    (run,) = alice.json("run-now", "alice")["runs"]
    assert (run["kind"], run["trigger"], run["status"], run["attempts"]) == ("incremental", "manual", "succeeded", 1)
    (run,) = alice.json("run-now", "alice", "--full")["runs"]
    assert (run["kind"], run["contacts_imported"]) == ("full", 0)
    assert alice.json("status")["daemons"] == []


def test_people_see_what_was_done(alice: Operator) -> None:
    said = alice.run("run-now", "alice", "--full")
    assert "alice: full sync succeeded in " in said.stdout
    assert "contacts 0 imported, 0 updated, 0 deleted" in said.stdout
    assert "of 1 done" in said.stderr


def test_everybody_who_is_connected_is_synced(alice: Operator) -> None:
    joined(alice, "bob")
    with store(alice) as db:
        connected(db, "cut", "needy")
        reauth(db, "needy")
        with write(db) as tx:
            connections.disconnect(tx, "cut", now())
    said = alice.run("run-now", "--all", "--json")
    assert [run["user_id"] for run in json.loads(said.stdout)["runs"]] == ["bob", "alice"]
    assert "needy is left out" in said.stderr


def test_who_failed_last_is_synced_again(alice: Operator) -> None:
    joined(alice, "bob")
    assert alice.json("run-now", "--failed") == {"runs": []}
    with store(alice) as db:
        failed(db, "alice")
    assert [run["user_id"] for run in alice.json("run-now", "--failed")["runs"]] == ["alice"]
    assert "no user's latest run has failed" in alice.run("run-now", "--failed").stderr


@pytest.mark.parametrize("words", [[], ["alice", "--all"], ["--all", "--failed"], ["a\tb"], ["alice", ""]])
def test_whom_to_sync_must_be_clear(operator: Operator, words: list[str]) -> None:
    operator.run("run-now", *words, code=2)


def test_nothing_is_queued_when_somebody_is_not_connected(alice: Operator) -> None:
    before = alice.runs()
    assert "bob" in alice.run("run-now", "alice", "bob", code=3).stderr
    assert alice.runs() == before


def test_who_must_consent_again_is_four_and_nothing_is_queued(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        reauth(db, "alice")
    error = operator.json("run-now", "alice", code=4)["error"]
    assert (error["type"], error["hint"]) == ("GrantRejected", "contacts-sync connect alice")
    assert operator.runs() == []


def test_the_others_are_synced_although_one_must_consent_again(alice: Operator) -> None:
    with store(alice) as db:
        connected(db, "bob")
        reauth(db, "bob")
    said = alice.run("run-now", "alice", "bob", "--json", code=4)
    assert [run["status"] for run in json.loads(said.stdout)["runs"]] == ["succeeded"]
    assert "contacts-sync connect bob" in said.stderr


def test_a_wrong_key_is_told_before_anything_is_queued(alice: Operator) -> None:
    before = alice.runs()
    (alice.home / "key").write_text(vault.generate_key())
    assert "opens any of the store's tokens" in alice.run("run-now", "alice", code=78).stderr
    assert alice.runs() == before
    assert alice.user("alice")["status"] == "connected"


def test_a_failed_run_is_one_and_says_where_to_look(alice: Operator) -> None:
    alice.google.faults.add("people", faults.internal_error(), times=3)
    said = alice.run("run-now", "alice", code=1)
    assert "alice: incremental sync failed" in said.stdout
    run = alice.runs()[0]["id"]
    assert f"error: run {run} of alice failed: PassingTrouble: " in said.stderr
    assert f"(next: contacts-sync runs show {run})" in said.stderr


def test_without_waiting_the_run_is_only_queued(alice: Operator) -> None:
    said = alice.run("run-now", "alice", "--no-wait")
    run = alice.runs()[0]["id"]
    assert f"alice: incremental sync queued (run {run})" in said.stdout
    assert "no daemon is running" in said.stderr
    joined_run = alice.run("run-now", "alice", "--full", "--no-wait")
    assert f"run {run} is queued already, now as a full sync; joined" in joined_run.stderr
    assert alice.runs()[0]["kind"] == "full"


def test_a_running_run_is_joined_and_not_turned_full(alice: Operator) -> None:
    gate = alice.google.faults.hold("people")
    first = alice.start("run-now", "alice", "--json")
    assert gate.arrived.wait(30)
    second = alice.start("run-now", "alice", "--full", "--json")
    assert second.stderr
    assert "running already, not as a full sync; joined" in second.stderr.readline()
    gate.release()
    told = [json.loads(process.communicate(timeout=30)[0])["runs"][0]["id"] for process in (first, second)]
    assert len(set(told)) == 1


def test_a_deferred_run_is_75_and_says_when_it_goes_on(alice: Operator) -> None:
    alice.google.faults.add("people", faults.too_many_requests("3600"))
    said = alice.run("run-now", "alice", code=75)
    assert "of alice is deferred and goes on at 20" in said.stderr
    again = alice.json("run-now", "alice", code=75)
    assert again["runs"][0]["status"] == "queued"
    assert again["error"]["exit_code"] == 75
    assert "deferred by Google's quota" in alice.user("alice")["note"]


def test_a_deferred_run_is_waited_for_when_asked(alice: Operator) -> None:
    alice.google.faults.add("people", faults.too_many_requests("61"))
    alice.run("run-now", "alice", code=75)
    waiting = alice.start("run-now", "alice", "--wait", "--json")
    assert waiting.stderr
    assert "joined" in waiting.stderr.readline()
    with store(alice) as db, write(db) as tx:
        run = runs.active(tx)["alice"]
        (mine,) = runs.claim(tx, worker_id="w", now=run.not_before, lease=run.not_before - now(), limit=1)
        runs.put_back(tx, mine, "w", now())
    out, _ = waiting.communicate(timeout=60)
    assert json.loads(out)["runs"][0]["status"] == "succeeded"


def test_the_operators_trouble_is_probed_at_once_each_time(alice: Operator) -> None:
    alice.google.faults.add("groups", faults.service_disabled(), times=2)
    for _ in range(2):
        said = alice.run("run-now", "alice", "--json", code=1)
        assert json.loads(said.stdout)["error"]["type"] == "OperatorTrouble"
        assert "console.developers.google.com" in said.stderr
    assert alice.json("run-now", "alice")["runs"][0]["status"] == "succeeded"


def test_ctrl_c_leaves_the_run_queued(alice: Operator) -> None:
    gate = alice.google.faults.hold("people")
    process = alice.start("run-now", "alice", "--json")
    assert gate.arrived.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    gate.release()
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "Interrupted"
    assert "1 of 1 not ended, nothing is lost: a daemon goes on, or `contacts-sync run-now`\n" in err
    assert err.endswith("\ninterrupted\n")
    assert [(run["status"], run["attempts"]) for run in alice.runs("--status", "queued")] == [("queued", 0)]
    assert alice.json("run-now", "alice")["runs"][0]["status"] == "succeeded"


def test_when_the_daemon_dies_this_process_takes_over(alice: Operator) -> None:
    gate = alice.google.faults.hold("people")
    with alice.daemon() as daemon:
        waiting = alice.start("run-now", "alice", "--json")
        assert gate.arrived.wait(30)
        daemon.kill()
        daemon.wait()
        gate.release()
        out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert json.loads(out)["runs"][0]["starts"] == 2


def test_a_user_purged_meanwhile_is_a_failure(alice: Operator) -> None:
    gate = alice.google.faults.hold("people")
    waiting = alice.start("run-now", "alice", "--json")
    assert gate.arrived.wait(30)
    alice.run("disconnect", "alice", "--purge", "--yes")
    gate.release()
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, json.loads(out)) == (1, {"runs": []})
    assert "purged" in err


def test_a_terminal_gets_a_bar_and_no_line_is_left_of_it(alice: Operator) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "contacts_sync", "run-now", "alice"]
    environ = {**alice.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=theirs)
    out, _ = process.communicate(timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert "syncing" in shown or "running" in shown
    assert b"succeeded" in out
    assert b"\x1b" not in out


def test_two_hundred_users_are_queued_in_batches(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, *(f"user-{number}" for number in range(250)))
    said = operator.json("run-now", "--all", "--no-wait")["runs"]
    assert len({run["user_id"] for run in said}) == 250
    with store(operator) as db, read(db) as tx:
        assert {run.status for run in runs.active(tx).values()} == {RunStatus.QUEUED}
        assert {(run.kind, run.trigger) for run in runs.active(tx).values()} == {(RunKind.INCREMENTAL, Trigger.MANUAL)}
        assert nodes.every(tx) == []
