"""Claiming queued runs, keeping them by a lease, and taking them back from workers that have gone silent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    true,
    union_all,
    update,
)

from contacts_sync.errors import RunAbandoned
from contacts_sync.model import ConnectionStatus, Run, RunKind, RunStatus
from contacts_sync.store import dialect
from contacts_sync.store.chunks import chunks
from contacts_sync.store.columns import ID, Instant, ListOf, one_of
from contacts_sync.store.prepared import Prepared, whole
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

AT = bindparam("now", type_=Instant)
MOST, MOST_FULL = bindparam("most", type_=Integer), bindparam("most_full", type_=Integer)
IS_DUE = IS_QUEUED & (sync_runs.c.not_before <= AT)
IS_GIVEN = one_of(sync_runs.c.id, bindparam("run_ids", type_=ListOf(ID)))
NOBODY_WAITS = ~select(pauses.c.id).exists()
IS_PROBE = bindparam("is_probe", type_=Integer) == 1
BY_TIME = ("not_before", "id")
# as a literal: in RETURNING SQLAlchemy leaves out the names of tables, and there SQLite has an index only for IN
IS_RUNS_USER: ColumnElement[bool] = literal_column("connections.user_id IN (sync_runs.user_id)")
STATUS_OF_USER = select(connections.c.status).where(IS_RUNS_USER).scalar_subquery()


def _looking(*among: ColumnElement[bool]) -> Prepared:
    """Whether anything is due, if everybody waits only a probe."""
    waiting = select(pauses.c.id).where(pauses.c.next_probe_at > AT)
    return Prepared(select(sync_runs.c.id).where(IS_DUE, *among, ~waiting.exists()).limit(1))


def _oldest_due(most: BindParameter[int], *among: ColumnElement[bool]) -> Select[Any]:
    """Locked against other claims where rows can be."""
    by_time = [sync_runs.c[name] for name in BY_TIME]
    due = select(*by_time).where(IS_DUE, IS_PROBE | NOBODY_WAITS, *among)
    return due.order_by(*by_time).limit(most).with_for_update(skip_locked=True)


def _oldest_rationed(*among: ColumnElement[bool]) -> Select[Any]:
    """The oldest come first, but those beyond the ration of full syncs let others pass."""
    full = _oldest_due(MOST_FULL, IS_FULL, *among).cte("full_due")
    others = _oldest_due(MOST, IS_NOT_FULL, *among).cte("others_due")
    due = union_all(select(full), select(others)).subquery()
    return select(due).order_by(*(due.c[name] for name in BY_TIME)).limit(MOST)


def _claiming(oldest: Select[Any]) -> Prepared:
    """The runs as they are then, each with the status of its user. To begin the first attempt is part of it.

    What is due is locked, and so still queued: to say that again would have PostgreSQL go through all that is.
    """
    due = oldest.cte("due")
    return Prepared(
        whole(update(sync_runs))
        .where(sync_runs.c.id.in_(select(due.c.id)))
        .values(
            status=RunStatus.RUNNING,
            worker_id=bindparam("worker", type_=Text),
            lease_expires_at=bindparam("lease_end", type_=Instant),
            starts=sync_runs.c.starts + 1,
            attempts=sync_runs.c.attempts + 1,
            started_at=func.coalesce(sync_runs.c.started_at, AT),
        )
        .returning(sync_runs, STATUS_OF_USER)
    )


LOOKING, LOOKING_FOR_OTHERS = _looking(), _looking(IS_NOT_FULL)
CLAIMING, CLAIMING_GIVEN = _claiming(_oldest_due(MOST)), _claiming(_oldest_due(MOST, IS_GIVEN))
RATIONED, RATIONED_GIVEN = _claiming(_oldest_rationed()), _claiming(_oldest_rationed(IS_GIVEN))
PROBING = Prepared(
    update(pauses).where(pauses.c.next_probe_at <= AT).values(next_probe_at=bindparam("next_probe", type_=Instant))
)


def is_due(tx: Transaction, now: datetime, *, full_too: bool = True) -> bool:
    """True if `claim` would find a run, or one that isn't full: a look that needs no write transaction."""
    return (LOOKING if full_too else LOOKING_FOR_OTHERS).row(tx, now=now) is not None


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
    cancelled. Each statement may be a transaction by itself; nearly always there is one.
    """
    terms: dict[str, Any] = {"worker": worker_id, "lease_end": shared(tx, now) + lease, "now": now, "is_probe": 0}
    if run_ids is not None:
        terms["run_ids"] = run_ids
    claimed = _claim(tx, terms, limit, limit if full_limit is None else full_limit)
    if not claimed and PROBING.change(tx, now=now, next_probe=now + PROBE_INTERVAL):
        claimed = _claim(tx, terms | {"is_probe": 1}, 1, 1)
    return sorted(claimed, key=lambda run: (run.not_before, run.id))


def _claim(tx: Transaction, terms: dict[str, Any], limit: int, full_limit: int) -> list[Run]:
    """Due runs of connected users; what is due of others is cancelled."""
    mine: list[Run] = []
    while True:
        full_left = full_limit - sum(run.kind is RunKind.FULL for run in mine)
        taken = _claim_any(tx, terms, limit - len(mine), full_left)
        mine += [run for run, status in taken if status == ConnectionStatus.CONNECTED]
        orphans = [run.id for run, status in taken if status != ConnectionStatus.CONNECTED]
        if not orphans:
            return mine
        _cancel_orphans(tx, orphans, terms["now"])


def _claim_any(tx: Transaction, terms: dict[str, Any], limit: int, full_limit: int) -> list[tuple[Run, str | None]]:
    """Due runs of whomever, each with its user's status."""
    rationed = full_limit < limit
    if "run_ids" in terms:
        claiming = RATIONED_GIVEN if rationed else CLAIMING_GIVEN
    else:
        claiming = RATIONED if rationed else CLAIMING
    rows = claiming.rows(tx, **terms, most=limit, most_full=full_limit)
    return [(run_of(row[:-1]), row[-1]) for row in rows]


def _cancel_orphans(tx: Transaction, ids: list[int], now: datetime) -> None:
    """As if they had never been claimed."""
    first = sync_runs.c.starts == 1
    values: dict[str, Any] = {
        "status": RunStatus.CANCELLED,
        "worker_id": None,
        "lease_expires_at": None,
        "attempts": ONE_ATTEMPT_LESS,
        "starts": sync_runs.c.starts - 1,
        "started_at": case((first, None), else_=sync_runs.c.started_at),
        "finished_at": now,
        "error_message": "the user is not connected",
    }
    tx.execute(update(sync_runs).where(sync_runs.c.id.in_(ids), IS_RUNNING).values(values))


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
