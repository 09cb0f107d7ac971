"""Reading runs, and pruning the old ones."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, case, delete, func, literal, select

from contacts_sync.errors import UnknownItem
from contacts_sync.model import Counters, End, Run, RunKind, RunStatus, Trigger
from contacts_sync.store.chunks import chunks
from contacts_sync.store.tables import IS_ACTIVE, sync_runs, sync_states
from contacts_sync.store.transactions import Transaction

COUNTERS = Counters.__slots__
INNER = [column.name for column in sync_runs.c if column.name not in COUNTERS]


def run_of(row: RowMapping) -> Run:
    """A row of `sync_runs` as a run."""
    values = {name: row[name] for name in INNER}
    values["kind"], values["trigger"] = RunKind(row["kind"]), _trigger_of(row["trigger"])
    values["status"] = RunStatus(row["status"])
    return Run(**values, counters=Counters(*(row[name] for name in COUNTERS)))


def _trigger_of(value: str) -> Trigger:
    """Whatever somebody has written there by hand, that was a manual act."""
    return Trigger(value) if value in set(Trigger) else Trigger.MANUAL


def end_at(now: datetime | ColumnElement[datetime]) -> ColumnElement[datetime]:
    """When a run has ended that ends now: not before it began, though the clock was set back meanwhile."""
    at = literal(now, sync_runs.c.finished_at.type) if isinstance(now, datetime) else now
    return case((sync_runs.c.started_at > at, sync_runs.c.started_at), else_=at)


def get(tx: Transaction, run_id: int) -> Run | None:
    """The run with that id."""
    row = tx.execute(select(sync_runs).where(sync_runs.c.id == run_id)).mappings().first()
    return run_of(row) if row else None


def require(tx: Transaction, run_id: int) -> Run:
    """The run with that id. Raises `UnknownItem`."""
    run = get(tx, run_id)
    if run is None:
        raise UnknownItem(f"there is no run {run_id}", hint="contacts-sync runs list")
    return run


def get_many(tx: Transaction, run_ids: Collection[int]) -> list[Run]:
    """The runs with those ids, as far as they exist, by id."""
    found = [run for chunk in chunks(run_ids) for run in _select(tx, sync_runs.c.id.in_(chunk))]
    return sorted(found, key=lambda run: run.id)


def active(tx: Transaction) -> dict[str, Run]:
    """The queued or running run of each user that has one."""
    return {run.user_id: run for run in _select(tx, IS_ACTIVE)}


def latest_ended(tx: Transaction) -> dict[str, Run]:
    """The newest run of each user that has succeeded or failed."""
    by_user = (
        select(func.max(sync_runs.c.id))
        .where(sync_runs.c.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED)))
        .group_by(sync_runs.c.user_id)
    )
    return {run.user_id: run for run in _select(tx, sync_runs.c.id.in_(by_user))}


def latest_ends(tx: Transaction, limit: int, now: datetime) -> list[End]:
    """The newest ends of runs up to now, whoever's, newest first. Later ones are from before the clock was set back."""
    columns = [sync_runs.c[name] for name in End.__slots__]
    ended = sync_runs.c.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED)) & (sync_runs.c.finished_at <= now)
    query = select(*columns).where(ended).order_by(sync_runs.c.finished_at.desc()).limit(limit)
    return [End(**row) for row in tx.execute(query).mappings()]


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
    return [run_of(row) for row in tx.execute(query.limit(limit or None)).mappings()]


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
    return [run_of(row) for row in tx.execute(select(sync_runs).where(condition)).mappings()]
