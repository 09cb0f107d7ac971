"""Claiming queued runs, keeping them by a lease, and taking them back from workers that have gone silent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, bindparam, case, func, select, true, update

from contacts_sync.errors import RunAbandoned
from contacts_sync.model import ConnectionStatus, Run, RunKind, RunStatus
from contacts_sync.store import dialect
from contacts_sync.store.chunks import chunks
from contacts_sync.store.columns import ID, Instant, ListOf, one_of
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.run_rows import end_at, run_of
from contacts_sync.store.shared_clock import shared
from contacts_sync.store.states import note_failure
from contacts_sync.store.tables import IS_QUEUED, IS_RUNNING, connections, pauses, sync_runs
from contacts_sync.store.transactions import Transaction

LONGEST_LEASE = timedelta(days=1)  # that can be configured
PROBE_INTERVAL = timedelta(minutes=1)
BACK_IN_THE_QUEUE = {"status": RunStatus.QUEUED, "worker_id": None, "lease_expires_at": None}
IS_FULL, IS_NOT_FULL = sync_runs.c.kind == RunKind.FULL, sync_runs.c.kind != RunKind.FULL
ONE_ATTEMPT_LESS = case((sync_runs.c.attempts > 0, sync_runs.c.attempts - 1), else_=0)

NEXT_PROBE = Prepared(select(pauses.c.next_probe_at))
IS_DUE = IS_QUEUED & (sync_runs.c.not_before <= bindparam("now", type_=Instant))
IS_GIVEN = one_of(sync_runs.c.id, bindparam("run_ids", type_=ListOf(ID)))
KINDS = {"any": true(), "full": IS_FULL, "other": IS_NOT_FULL}


def _due(*among: ColumnElement[bool]) -> Prepared:
    """When due, the ids, and their users' status, of the oldest; locked against other claims where rows can be."""
    return Prepared(
        select(sync_runs.c.not_before, sync_runs.c.id, connections.c.status)
        .outerjoin(connections, connections.c.user_id == sync_runs.c.user_id)
        .where(IS_DUE, *among)
        .order_by(sync_runs.c.not_before, sync_runs.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True, of=sync_runs)
    )


LOOKING = {kind: Prepared(select(sync_runs.c.id).where(IS_DUE, among).limit(1)) for kind, among in KINDS.items()}
DUE = {kind: _due(among) for kind, among in KINDS.items()}
DUE_AMONG_GIVEN = {kind: _due(among, IS_GIVEN) for kind, among in KINDS.items()}
CLAIMING = Prepared(
    update(sync_runs)
    .where(one_of(sync_runs.c.id, bindparam("ids", type_=ListOf(ID))), IS_QUEUED)
    .values(
        status=RunStatus.RUNNING,
        worker_id=bindparam("worker", type_=Text),
        lease_expires_at=bindparam("lease_end", type_=Instant),
        starts=sync_runs.c.starts + 1,
        started_at=func.coalesce(sync_runs.c.started_at, bindparam("now", type_=Instant)),
    )
    .returning(sync_runs)
)


def is_due(tx: Transaction, now: datetime, *, full_too: bool = True) -> bool:
    """True if `claim` would find a run, or one that isn't full: a look that needs no write transaction."""
    paused = NEXT_PROBE.row(tx)
    if paused is not None and paused[0] > now:
        return False
    return LOOKING["any" if full_too else "other"].row(tx, now=now) is not None


def queued(tx: Transaction) -> int:
    """How many runs wait, those that were put off among them."""
    return tx.execute(select(func.count()).where(IS_QUEUED)).scalar_one()


def overdue(tx: Transaction, since: datetime) -> int:
    """How many queued runs could have begun before `since`, and were queued before it."""
    waiting = select(func.count()).where(IS_QUEUED, sync_runs.c.not_before <= since, sync_runs.c.queued_at <= since)
    return tx.execute(waiting).scalar_one()


def claim(
    tx: Transaction,
    *,
    worker_id: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    run_ids: Collection[int] | None = None,
    full_limit: int | None = None,
) -> list[Run]:
    """Claim the oldest due runs (of `run_ids` only, if given) for a worker; no two workers ever get the same.

    At most `full_limit` of them are full syncs: they are rationed, since Google gives them a quota of their own.
    While everybody is paused, one run a minute is claimed as a probe. A run whose user isn't connected is
    cancelled.
    """
    paused = NEXT_PROBE.row(tx) is not None
    if paused and not _take_probe(tx, now):
        return []
    at_most = 1 if paused else limit
    ids = _due_ids(tx, now, at_most, at_most if full_limit is None or paused else full_limit, run_ids)
    if not ids:
        return []
    claimed = CLAIMING.rows(tx, ids=ids, worker=worker_id, lease_end=shared(tx, now) + lease, now=now)
    return sorted(map(run_of, claimed), key=lambda run: (run.not_before, run.id))


def _take_probe(tx: Transaction, now: datetime) -> bool:
    taken = update(pauses).where(pauses.c.next_probe_at <= now).values(next_probe_at=now + PROBE_INTERVAL)
    return tx.execute(taken).rowcount == 1


def _due_ids(tx: Transaction, now: datetime, limit: int, full_limit: int, run_ids: Collection[int] | None) -> list[int]:
    """The oldest come first, but those beyond the ration of full syncs let others pass."""
    if full_limit >= limit:
        found = _lock_due(tx, now, "any", limit, run_ids)
    else:
        full = _lock_due(tx, now, "full", full_limit, run_ids)
        found = sorted(full + _lock_due(tx, now, "other", limit, run_ids))[:limit]
    return [id_ for _, id_ in found]


def _lock_due(
    tx: Transaction, now: datetime, kind: str, limit: int, run_ids: Collection[int] | None
) -> list[tuple[datetime, int]]:
    """When due, and the ids, of due runs of connected users; what is due of others is cancelled."""
    while True:
        if run_ids is None:
            due = DUE[kind].rows(tx, now=now, most=limit)
        else:
            due = DUE_AMONG_GIVEN[kind].rows(tx, now=now, most=limit, run_ids=run_ids)
        orphans = [id_ for _, id_, status in due if status != ConnectionStatus.CONNECTED]
        if not orphans:
            return [(not_before, id_) for not_before, id_, _ in due]
        _cancel_orphans(tx, orphans, now)


def _cancel_orphans(tx: Transaction, ids: list[int], now: datetime) -> None:
    values = {"status": RunStatus.CANCELLED, "finished_at": now, "error_message": "the user is not connected"}
    tx.execute(update(sync_runs).where(sync_runs.c.id.in_(ids)).values(values))


def renew(tx: Transaction, worker_id: str, now: datetime, lease: timedelta) -> int:
    """Renew the leases of all runs of a worker; the answer is their number."""
    mine = update(sync_runs).where(IS_RUNNING, sync_runs.c.worker_id == worker_id)
    return tx.execute(mine.values(lease_expires_at=shared(tx, now) + lease)).rowcount


def release(tx: Transaction, worker_id: str, now: datetime, run_ids: Collection[int] | None = None) -> int:
    """Put what a worker still holds (of `run_ids` only, if given) back into the queue.

    The attempts under way aren't counted.
    """
    among = true() if run_ids is None else sync_runs.c.id.in_(run_ids)
    mine = update(sync_runs).where(IS_RUNNING, sync_runs.c.worker_id == worker_id, among)
    released = tx.execute(mine.values(**BACK_IN_THE_QUEUE, attempts=ONE_ATTEMPT_LESS, not_before=now)).rowcount
    dialect.announce(tx)
    return released


def take_back(tx: Transaction, now: datetime, *, limit_take_backs: int = 3) -> list[Run]:
    """Queue again what silent workers hold: runs whose lease has ended. The answer is these runs.

    So has one longer than any: it was given before the clock was set back. A run that is taken back for the
    `limit_take_backs`-th time fails: it seems to kill its workers.
    """
    at = shared(tx, now)
    over = (sync_runs.c.lease_expires_at < at) | (sync_runs.c.lease_expires_at > at + LONGEST_LEASE)
    return _take_back(tx, over, now, limit_take_backs)


def take_back_dead(
    tx: Transaction, worker_ids: Collection[str], now: datetime, *, limit_take_backs: int = 3
) -> list[Run]:
    """The same, without waiting for leases, for workers that are known to be dead."""
    return [
        run
        for chunk in chunks(worker_ids)
        for run in _take_back(tx, sync_runs.c.worker_id.in_(chunk), now, limit_take_backs)
    ]


def _take_back(tx: Transaction, lost: ColumnElement[bool], now: datetime, limit: int) -> list[Run]:
    once_more = sync_runs.c.take_backs + 1
    poison = and_(lost, once_more >= limit)
    message = f"the process that ran this died or fell silent {limit} times"
    abandoned = {
        "status": RunStatus.FAILED,
        "finished_at": end_at(now),
        "lease_expires_at": None,
        "error_type": RunAbandoned.__name__,
        "error_message": message,
    }
    failed = _update_running(tx, poison, {**abandoned, "take_backs": once_more})
    for run in failed:
        note_failure(tx, run.user_id, message)
    queued = _update_running(tx, lost, {**BACK_IN_THE_QUEUE, "take_backs": once_more})
    return failed + queued


def _update_running(tx: Transaction, condition: ColumnElement[bool], values: dict[str, Any]) -> list[Run]:
    changed = update(sync_runs).where(IS_RUNNING, condition).values(values).returning(sync_runs)
    return [run_of(row) for row in tx.execute(changed)]
