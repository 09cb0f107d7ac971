"""Eight workers of one process, each as eager as a process of its own: `python -m tests.proof.racers JSON`.

For each line that comes in, every worker queues a run of alice (or attaches to the one there is), tries to claim it
and carries it out where it could; then a line goes out.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any, cast

from contacts_sync import logs
from contacts_sync.daemon.workers import new_worker_id
from contacts_sync.model import RunKind, Trigger
from contacts_sync.sandbox import Sandbox
from contacts_sync.store import runs
from contacts_sync.store.engine import close, open_database, write
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.run import carry_out
from tests.inside import desk_for, now

WORKERS = 8


def main(url: str, home: str, google: dict[str, Any]) -> None:
    logs.configure(level="warning", format="json", stream=sys.stderr)
    db = open_database(url)
    desk = desk_for(cast("Sandbox", SimpleNamespace(**google)), db, Path(home))
    desks = [replace(desk, worker_id=new_worker_id()) for _ in range(WORKERS)]
    start = Barrier(WORKERS)
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in sys.stdin:
            done = list(pool.map(lambda one: race(one, start), desks))
            print(sum(done), flush=True)
    close(db)


def race(desk: Desk, start: Barrier) -> int:
    """The answer is how many runs this worker could claim."""
    start.wait(30)
    with write(desk.db) as tx:
        run, _ = runs.enqueue(tx, user_id="alice", kind=RunKind.INCREMENTAL, trigger=Trigger.MANUAL, now=now())
    with write(desk.db) as tx:
        claimed = runs.claim(tx, worker_id=desk.worker_id, now=now(), lease=desk.lease, limit=1, run_ids=[run.id])
    for one in claimed:
        carry_out(one, desk)
    return len(claimed)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
