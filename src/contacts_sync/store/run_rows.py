"""Reading runs, and pruning the old ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, literal, select

from contacts_sync.errors import UnknownItem
from contacts_sync.model import Counters, End, Run, RunKind, RunStatus, Trigger
from contacts_sync.store import rows
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.tables import IS_ACTIVE, connections, is_of, sync_runs, sync_states
from contacts_sync.store.transactions import Transaction

COUNTERS = Counters.__slots__
COUNTED = slice(sync_runs.c.keys().index(COUNTERS[0]), sync_runs.c.keys().index(COUNTERS[-1]) + 1)
KINDS, TRIGGERS, STATUSES = ({str(one): one for one in words} for words in (RunKind, Trigger, RunStatus))
THOSE = Prepared(select(sync_runs).where(rows.among_given(sync_runs.c.id)).order_by(sync_runs.c.id))
ENDED = sync_runs.c.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED))


def run_of(row: Sequence[Any]) -> Run:
    """A row of `sync_runs`, whose columns are in a run's order, as a run. What somebody has written there by hand as
    its trigger was a manual act.
    """
    id_, user_id, kind, trigger, status, *more = row[: COUNTED.start]
    named = [id_, user_id, KINDS[kind], TRIGGERS.get(trigger, Trigger.MANUAL), STATUSES[status]]
    values: list[Any] = [*named, *more, Counters(*row[COUNTED]), *row[COUNTED.stop :]]
    return Run(*values)


def end_at(now: datetime | ColumnElement[datetime]) -> ColumnElement[datetime]:
    """When a run has ended that ends now: not before it began, though the clock was set back meanwhile."""
    at = literal(now, sync_runs.c.finished_at.type) if isinstance(now, datetime) else now
    return case((sync_runs.c.started_at > at, sync_runs.c.started_at), else_=at)


def get(tx: Transaction, run_id: int) -> Run | None:
    """The run with that id."""
    return next(iter(_select(tx, sync_runs.c.id == run_id)), None)


def require(tx: Transaction, run_id: int) -> Run:
    """The run with that id. Raises `UnknownItem`."""
    run = get(tx, run_id)
    if run is None:
        raise UnknownItem(f"there is no run {run_id}", hint="contacts-sync runs list")
    return run


def get_many(tx: Transaction, run_ids: Collection[int]) -> list[Run]:
    """The runs with those ids, as far as they exist, by id."""
    return [run_of(row) for row in THOSE.rows(tx, values=run_ids)]


def active(tx: Transaction, user_id: str | None = None) -> dict[str, Run]:
    """The queued or running run of each user (or the given one) that has one."""
    return {run.user_id: run for run in _select(tx, IS_ACTIVE & is_of(sync_runs, user_id))}


def latest_ended(tx: Transaction, user_id: str) -> Run | None:
    """The user's newest run that has succeeded or failed."""
    newest = select(sync_runs).where(sync_runs.c.user_id == user_id, ENDED).order_by(sync_runs.c.id.desc()).limit(1)
    row = tx.execute(newest).first()
    return run_of(row) if row else None


def latest_failed(tx: Transaction, user_id: str | None = None) -> dict[str, Run]:
    """The newest ended run of each user (or the given one) whose newest ended run has failed.

    Each user's is looked up from the end of the history, which may be long.
    """
    ended = select(sync_runs.c.id).where(sync_runs.c.user_id == connections.c.user_id, ENDED)
    newest = ended.order_by(sync_runs.c.id.desc()).limit(1).scalar_subquery()
    of_each = select(newest).select_from(connections).where(is_of(connections, user_id))
    failed = sync_runs.c.id.in_(of_each) & (sync_runs.c.status == RunStatus.FAILED)
    return {run.user_id: run for run in _select(tx, failed)}


def latest_ends(tx: Transaction, limit: int, now: datetime) -> list[End]:
    """The newest ends of runs up to now, whoever's, newest first. Later ones are from before the clock was set back."""
    columns = [sync_runs.c[name] for name in End.__slots__]
    query = select(*columns).where(ENDED, sync_runs.c.finished_at <= now)
    query = query.order_by(sync_runs.c.finished_at.desc()).limit(limit)
    return [End(*row) for row in tx.execute(query)]


def approval_of(tx: Transaction, run_id: int) -> Run | None:
    """The run that carries the approval of a parked one."""
    return next(iter(_select(tx, sync_runs.c.approves_run_id == run_id)), None)


def recent(
    tx: Transaction, *, user_id: str | None = None, status: RunStatus | None = None, limit: int = 0
) -> list[Run]:
    """The latest runs, newest first; `limit` 0 means all."""
    query = select(sync_runs).order_by(sync_runs.c.id.desc())
    if user_id is not None:
        query = query.where(sync_runs.c.user_id == user_id)
    if status is not None:
        query = query.where(sync_runs.c.status == status)
    return [run_of(row) for row in tx.execute(query.limit(limit or None))]


def latest_slots(tx: Transaction) -> dict[str, datetime]:
    """Up to which instant each user's slots have got their run, also where history was pruned."""
    query = select(sync_states.c.user_id, sync_states.c.queued_until).where(sync_states.c.queued_until.is_not(None))
    return {row.user_id: row.queued_until for row in tx.execute(query)}


def prune(tx: Transaction, *, succeeded_before: datetime | None, failed_before: datetime | None) -> int:
    """Forget runs that succeeded or were cancelled, and runs that failed, before an instant (None: none)."""
    return _forget(tx, (RunStatus.SUCCEEDED, RunStatus.CANCELLED), succeeded_before) + _forget(
        tx, (RunStatus.FAILED,), failed_before
    )


def _forget(tx: Transaction, statuses: Collection[RunStatus], before: datetime | None) -> int:
    if before is None:
        return 0
    return tx.execute(
        delete(sync_runs).where(sync_runs.c.status.in_(statuses), sync_runs.c.finished_at < before)
    ).rowcount


def _select(tx: Transaction, condition: ColumnElement[bool]) -> list[Run]:
    return [run_of(row) for row in tx.execute(select(sync_runs).where(condition))]
