"""Incremental syncs inside one process, as a daemon's worker does them: no start, warm connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean

from sqlalchemy import event

from contacts_sync.store import runs
from contacts_sync.store.engine import write
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.run import carry_out
from tests.benchmarks import people_api, product
from tests.benchmarks.processes import Cost
from tests.benchmarks.report import Row


def sync(desk: Desk) -> Cost:
    """What a worker does: claim a queued run, and carry it out. The queueing is the scheduler's and isn't counted."""
    product.queue(desk.db)
    return cost_of(lambda: _claim_and_carry_out(desk))


def _claim_and_carry_out(desk: Desk) -> None:
    with write(desk.db, autocommit=True) as tx:
        (run,) = runs.claim(tx, worker_id=desk.worker_id, now=desk.clock(), lease=desk.lease, limit=1)
    outcome = carry_out(run, desk)
    if outcome.error is not None:
        raise outcome.error


def cost_of(work: Callable[[], object]) -> Cost:
    """The cost of a piece of work in this thread."""
    began, computed = time.perf_counter(), time.thread_time()
    work()
    return Cost(time.perf_counter() - began, time.thread_time() - computed)


def mean_of(times: int, measured: Callable[[], Cost]) -> Cost:
    """The mean cost of small work that is done several times."""
    costs = [measured() for _ in range(times)]
    return Cost(fmean(cost.seconds for cost in costs), fmean(cost.cpu_seconds for cost in costs))


def counted(what: str, base_url: str, desk: Desk) -> Row:
    """How many requests and transactions one sync takes in which nothing has changed."""
    transactions = 0

    def count(*_: object) -> None:  # each transaction takes a connection from a pool
        nonlocal transactions
        transactions += 1

    sync(desk)
    pools = {desk.db.engine.pool, desk.db.reader.pool}
    for pool in pools:
        event.listen(pool, "checkout", count)
    product.queue(desk.db)
    before, transactions = people_api.asked(base_url), 0
    _claim_and_carry_out(desk)
    for pool in pools:
        event.remove(pool, "checkout", count)
    requests = (people_api.asked(base_url) - before).total() - 1  # one was the question itself
    return Row(what, "", f"{requests} requests, {transactions} transactions", "", "≤ 2, ≤ 6")
