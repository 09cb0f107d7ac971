from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from contacts_sync.daemon.workers import Crew, claim_for
from contacts_sync.sandbox import Sandbox
from contacts_sync.store.engine import Database
from tests.inside import desk_for, join
from tests.operating import wait_until

NOW, LONG = timedelta(0), timedelta(minutes=5)


def test_a_crew_moves_unless_every_worker_hangs(db: Database, tmp_path: Path) -> None:
    with Sandbox() as google:
        google.world.add_account("alice@example.com")
        desk = desk_for(google, db, tmp_path)
        join(desk, google, "alice", "alice@example.com")
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
