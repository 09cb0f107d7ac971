"""Runs whose process died, and workers that hang."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from contacts_sync.daemon.workers import Crew, claim_for, node_of, rescue, run_here
from contacts_sync.model import Outcome, Run
from contacts_sync.sandbox import Sandbox
from contacts_sync.store import nodes, runs
from contacts_sync.store.engine import Database, write
from contacts_sync.sync.desk import Desk
from tests.inside import copy_of, desk_for, join, now, rows, world_of
from tests.operating import wait_until
from tests.proof.line import Line, shortened

ALICE = "alice@example.com"
NOW, LONG = timedelta(0), timedelta(minutes=5)


def claimed_by(desk: Desk, run: Run, pid: int) -> None:
    """Leave the run as a process of this host left it that was killed."""
    with write(desk.db) as tx:
        nodes.beat(tx, replace(node_of(desk, role="command"), worker_id="w-killed", pid=pid))
        assert runs.claim(tx, worker_id="w-killed", now=now(), lease=desk.lease, limit=1, run_ids=[run.id])


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_run_now_goes_on_at_once_where_a_killed_one_stopped(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account(ALICE).add_people(3)
        desk = desk_for(google, db, tmp_path, DAEMON__LEASE="10m")
        run = join(desk, google, "alice", ALICE)
        claimed_by(desk, run, ended_pid())
        run_here(desk, [run.id])
        assert copy_of(db, "alice") == world_of(google, ALICE)
    assert rows(db, "SELECT status, starts, take_backs FROM sync_runs") == [("succeeded", 2, 1)]
    assert rows(db, "SELECT worker_id FROM nodes") == []


def test_what_a_living_process_holds_is_left_to_it(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account(ALICE)
        desk = desk_for(google, db, tmp_path)
        claimed_by(desk, join(desk, google, "alice", ALICE), os.getpid())
        assert rescue(desk) == []
    assert rows(db, "SELECT status FROM sync_runs") == [("running",)]


def test_a_crew_moves_unless_every_worker_hangs(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account(ALICE)
        desk = desk_for(google, db, tmp_path)
        join(desk, google, "alice", ALICE)
        gate = google.faults.hold("any")
        crew = Crew(desk, 2, threading.Event())
        claim_for(crew)
        assert gate.arrived.wait(20)
        assert crew.is_moving(NOW)
        crew.resize(1)
        assert crew.is_moving(LONG)
        assert not crew.is_moving(NOW)
        gate.release()
        wait_until(lambda: crew.is_moving(NOW))
        crew.dismiss(LONG)


class Panic(BaseException):
    """As cryptography's, which is written in Rust, are: no `except Exception` holds them."""


def panic() -> None:
    raise Panic("index out of bounds")


def test_a_worker_outlives_a_run_whatever_that_raises(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account(ALICE)
        line = Line(google)
        desk = shortened(desk_for(google, db, tmp_path), line)
        ids = [join(desk, google, user, ALICE).id for user in ("alice", "bob", "carol")]
        told: list[Outcome] = []
        crew = Crew(desk, 1, threading.Event(), told.append)
        for before, claimed in ((panic, ids[:1]), (panic, ids[:2]), (None, ids)):
            line.before = before
            assert claim_for(crew, claimed) == 1
            wait_until(lambda: crew.busy == 0)
        crew.dismiss(LONG)
    assert [outcome.run.status for outcome in told] == ["failed", "failed", "succeeded"]
    assert rows(db, "SELECT status FROM sync_runs ORDER BY id") == [("failed",), ("failed",), ("succeeded",)]
    assert rows(db, "SELECT DISTINCT error_message FROM sync_runs WHERE status = 'failed'") == [
        ("Panic: index out of bounds",)
    ]


def test_a_process_is_known_before_it_claims_anything(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account(ALICE)
        desk = desk_for(google, db, tmp_path)
        run = join(desk, google, "alice", ALICE)
        gate = google.faults.hold("groups")
        worker = threading.Thread(target=run_here, args=(desk, [run.id]))
        worker.start()
        assert gate.arrived.wait(30)
        assert rows(db, "SELECT worker_id FROM nodes") == rows(db, "SELECT worker_id FROM sync_runs")
        gate.release()
        worker.join(30)
