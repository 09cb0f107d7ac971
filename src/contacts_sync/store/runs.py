"""`sync_runs`: everything about runs. Here is the fence: what the worker that owns a run may write."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Integer,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from contacts_sync.errors import LeaseLost
from contacts_sync.model import Counters, Run, RunKind, RunStatus
from contacts_sync.store import dialect, interval_schedules, nodes, tables
from contacts_sync.store.columns import ID, Instant
from contacts_sync.store.prepared import Prepared, Row, whole
from contacts_sync.store.run_claims import (
    BACK_IN_THE_QUEUE,
    ONE_ATTEMPT_LESS,
    claim,
    is_due,
    overdue,
    queued,
    release,
    renew,
    take_back,
    take_back_dead,
)
from contacts_sync.store.run_queue import Wanted, cancel, enqueue, enqueue_many, make_full
from contacts_sync.store.run_rows import (
    COUNTERS,
    active,
    approval_of,
    end_at,
    get,
    get_many,
    latest_ended,
    latest_ends,
    latest_failed,
    latest_slots,
    prune,
    recent,
    require,
    run_of,
)
from contacts_sync.store.shared_clock import shared
from contacts_sync.store.states import note_failure, succeeding
from contacts_sync.store.tables import IS_RUNNING, parked_removals, sync_runs
from contacts_sync.store.transactions import Transaction

__all__ = [
    "Wanted",
    "active",
    "approval_of",
    "begin_attempt",
    "cancel",
    "claim",
    "enqueue",
    "enqueue_many",
    "fail",
    "get",
    "get_many",
    "hold",
    "is_due",
    "latest_ended",
    "latest_ends",
    "latest_failed",
    "latest_slots",
    "make_full",
    "overdue",
    "park",
    "parked",
    "prune",
    "put_back",
    "queued",
    "recent",
    "release",
    "renew",
    "require",
    "succeed",
    "take_back",
    "take_back_dead",
    "turn_full",
]

NOTHING = Counters()
ENDED = {"lease_expires_at": None, "error_type": None, "error_message": None, "error_traceback": None}

# The statements of every sync are made once: to put one together takes longer than to have it executed.
OWNED = (
    (sync_runs.c.id == bindparam("of_run", type_=ID))
    & (sync_runs.c.worker_id == bindparam("of_worker", type_=Text))
    & IS_RUNNING
)
CHANGING = whole(update(sync_runs)).where(OWNED)
GROWN = {name: sync_runs.c[name] + bindparam(f"more_{name}", type_=Integer) for name in COUNTERS}
HOLDING = Prepared(CHANGING.values(**GROWN, lease_expires_at=bindparam("lease_end", type_=Instant)))
BEGINNING = Prepared(CHANGING.values(attempts=sync_runs.c.attempts + 1))
AT = bindparam("at", type_=Instant)
SUCCEEDING = CHANGING.values(**GROWN, **ENDED, status=RunStatus.SUCCEEDED, finished_at=end_at(AT)).returning(sync_runs)
ONE_AFTER_THE_OTHER = (
    Prepared(SUCCEEDING),
    Prepared(succeeding(bindparam("of_user", type_=Text), bindparam("of_kind", type_=Text))),
)


def _all_at_once() -> Prepared:
    """The run, its user's state and the pause in one statement, which PostgreSQL alone understands."""
    ended = SUCCEEDING.cte("ended")
    noted = succeeding(ended.c.user_id, ended.c.kind).cte("noted")
    lifted = delete(tables.pauses).where(select(ended.c.id).exists()).cte("lifted")
    return Prepared(select(*ended.c).add_cte(noted, lifted))


ALL_AT_ONCE = _all_at_once()


def hold(
    tx: Transaction, run: Run, worker_id: str, now: datetime, lease: timedelta, counters: Counters = NOTHING
) -> None:
    """The fence before anything a run writes: renew its lease and add to its counters.

    Raises `LeaseLost` if the run is no longer this worker's: taken back, cancelled, or its user disconnected.
    """
    if not HOLDING.change(tx, **owner(run, worker_id), **_more(counters), lease_end=shared(tx, now) + lease):
        raise lost(run)


def begin_attempt(tx: Transaction, run: Run) -> None:
    """Count a sync attempt. Raises `LeaseLost`."""
    if not BEGINNING.change(tx, **owner(run, run.worker_id)):
        raise lost(run)


def turn_full(tx: Transaction, run: Run) -> Run:
    """The run can't go on from its sync token: it is a full one from now on. Raises `LeaseLost`."""
    return _change(tx, run, run.worker_id, {"kind": RunKind.FULL})


def succeed(
    tx: Transaction,
    run: Run,
    worker_id: str,
    now: datetime,
    *,
    contacts_sync_token: str | None,
    groups_sync_token: str | None,
    fingerprint: str,
    counters: Counters = NOTHING,
    at_intervals: bool = True,
) -> Run:
    """End a run well: the next one starts from these tokens, and whatever paused everybody is over.

    `counters` are added to the run's. `at_intervals`: False if the user was not due at intervals when the run began;
    then this is one statement on a server. Raises `LeaseLost`, before anything is written.
    """
    left = {"contacts": contacts_sync_token, "groups": groups_sync_token, "fingerprint": fingerprint, "at": now}
    ended = _end_well(tx, run, {**owner(run, worker_id), **_more(counters), **left})
    if at_intervals:
        interval_schedules.note_success(tx, ended, now)
    return ended


def _end_well(tx: Transaction, run: Run, values: dict[str, Any]) -> Run:
    if dialect.is_server(tx.dialect):
        return _still_ours(run, ALL_AT_ONCE.row(tx, **values))
    ending, noting = ONE_AFTER_THE_OTHER
    ended = _still_ours(run, ending.row(tx, **values))
    noting.change(tx, **values, of_user=ended.user_id, of_kind=ended.kind)
    nodes.lift_pause(tx)
    return ended


def fail(
    tx: Transaction,
    run: Run,
    worker_id: str,
    now: datetime,
    *,
    error_type: str,
    message: str,
    traceback: str | None,
) -> Run:
    """End a run badly and keep why. Raises `LeaseLost`."""
    error = {"error_type": error_type, "error_message": message, "error_traceback": traceback}
    ended = _change(tx, run, worker_id, {**ENDED, **error, "status": RunStatus.FAILED, "finished_at": end_at(now)})
    note_failure(tx, run.user_id, message)
    return ended


def put_back(
    tx: Transaction,
    run: Run,
    worker_id: str,
    now: datetime,
    *,
    not_before: datetime | None = None,
    deferred: bool = False,
) -> Run:
    """Queue a run again, to go on at `not_before` or at once; the attempt under way isn't counted.

    `deferred`: it is Google's quota that wants so; how often and since when is kept. Raises `LeaseLost`.
    """
    values: dict[str, Any] = {
        **BACK_IN_THE_QUEUE,
        "attempts": ONE_ATTEMPT_LESS,
        "not_before": not_before or now,
    }
    if deferred:
        values["deferrals"] = sync_runs.c.deferrals + 1
        values["deferred_since"] = func.coalesce(sync_runs.c.deferred_since, literal(now, Instant()))
    queued = _change(tx, run, worker_id, values)
    dialect.announce(tx)
    return queued


def _change(tx: Transaction, run: Run, worker_id: str | None, values: dict[str, Any]) -> Run:
    changing = CHANGING.values(values).returning(sync_runs)
    return _still_ours(run, tx.execute(changing, owner(run, worker_id)).first())


def _still_ours(run: Run, changed: Row | None) -> Run:
    if changed is None:
        raise lost(run)
    return run_of(changed)


def owner(run: Run, worker_id: str | None) -> dict[str, Any]:
    """The values of `OWNED`, which guards every UPDATE here; the database is the referee."""
    return {"of_run": run.id, "of_worker": worker_id}


def _more(counters: Counters) -> dict[str, int]:
    return {f"more_{name}": getattr(counters, name) for name in COUNTERS}


def lost(run: Run) -> LeaseLost:
    """What to raise where `OWNED` finds nothing."""
    return LeaseLost(f"run {run.id} of user {run.user_id!r} is no longer this worker's")


def park(tx: Transaction, run_id: int, contact_ids: Collection[int]) -> None:
    """Keep which contacts a run wanted to remove, until somebody approves it or it is pruned."""
    tx.execute(delete(parked_removals).where(parked_removals.c.run_id == run_id))
    if contact_ids:
        rows = [{"run_id": run_id, "contact_id": contact_id} for contact_id in contact_ids]
        tx.execute(insert(parked_removals), rows)


def parked(tx: Transaction, run_id: int) -> set[int]:
    """The contact ids that a run wanted to remove."""
    query = select(parked_removals.c.contact_id).where(parked_removals.c.run_id == run_id)
    return set(tx.execute(query).scalars())
