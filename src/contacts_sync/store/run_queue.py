"""Queueing runs. At most one of a user is queued or running, and a slot has one: unique indexes say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, update

from contacts_sync.model import ConnectionStatus, Run, RunKind, RunStatus, Trigger
from contacts_sync.store import dialect
from contacts_sync.store.chunks import chunks
from contacts_sync.store.run_rows import end_at, run_of
from contacts_sync.store.states import note_queued
from contacts_sync.store.tables import IS_ACTIVE, IS_QUEUED, connections, sync_runs
from contacts_sync.store.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """A firing of a user's schedule that should become a run."""

    user_id: str
    trigger: Trigger
    slot: str
    not_before: datetime
    kind: RunKind = RunKind.INCREMENTAL


def enqueue(
    tx: Transaction,
    *,
    user_id: str,
    kind: RunKind,
    trigger: Trigger,
    now: datetime,
    slot: str | None = None,
    not_before: datetime | None = None,
    approves_run_id: int | None = None,
) -> tuple[Run, bool]:
    """Queue a run; the answer is the run and whether it is new.

    It isn't where the slot has its run already, or where a run of the user is queued or running: that one
    then stands for the slot too, starts as early as asked (unless Google's quota defers it) and takes over an
    approval.
    """
    values: dict[str, Any] = {
        "user_id": user_id,
        "kind": kind,
        "trigger": trigger,
        "status": RunStatus.QUEUED,
        "slot": slot,
        "not_before": not_before or now,
        "queued_at": now,
        "approves_run_id": approves_run_id,
    }
    run, created = _insert_or_attach(tx, values)
    note_queued(tx, [user_id], now)
    dialect.announce(tx)
    return run, created


def _insert_or_attach(tx: Transaction, values: dict[str, Any]) -> tuple[Run, bool]:
    inserting = dialect.upsert(tx, sync_runs).values(values).on_conflict_do_nothing()
    row = tx.execute(inserting.returning(sync_runs)).first()
    if row is not None:
        return run_of(row), True
    run = _attach(tx, values)
    return (run, False) if run else _insert_or_attach(tx, values)  # again: the run in the way has just ended


def _attach(tx: Transaction, values: dict[str, Any]) -> Run | None:
    mine, slot, not_before = sync_runs.c.user_id == values["user_id"], values["slot"], values["not_before"]
    taken = _first(tx, mine, sync_runs.c.slot == slot) if slot else None
    if taken is not None:
        return taken
    if slot:
        tx.execute(update(sync_runs).where(mine, IS_ACTIVE, sync_runs.c.slot.is_(None)).values(slot=slot))
    if values["approves_run_id"] is not None:
        approval = {"approves_run_id": values["approves_run_id"]}
        tx.execute(update(sync_runs).where(mine, IS_ACTIVE).values(approval))
        tx.execute(update(sync_runs).where(mine, IS_QUEUED).values(kind=RunKind.FULL))
    is_late = (sync_runs.c.not_before > not_before) & sync_runs.c.deferred_since.is_(None)
    tx.execute(update(sync_runs).where(mine, IS_QUEUED, is_late).values(not_before=not_before))
    return _first(tx, mine, IS_ACTIVE)


def _first(tx: Transaction, *conditions: ColumnElement[bool]) -> Run | None:
    row = tx.execute(select(sync_runs).where(*conditions)).first()
    return run_of(row) if row else None


def enqueue_many(tx: Transaction, items: Sequence[Wanted], now: datetime) -> int:
    """Queue runs for a batch of firings of connected users; the answer is how many runs are new.

    A firing that meets a run of its user that is queued or running is that run's.
    """
    linked = _connected(tx, {item.user_id for item in items})
    in_order = sorted(items, key=lambda item: item.user_id)  # two daemons must not wait for each other's rows
    rows = [_row(item, now) for item in in_order if item.user_id in linked]
    if not rows:
        return 0
    inserted = tx.execute(dialect.upsert(tx, sync_runs).on_conflict_do_nothing().returning(sync_runs.c.user_id), rows)
    users = set(inserted.scalars())
    _stand_in(tx, [row for row in rows if row["user_id"] not in users])
    note_queued(tx, sorted(linked), now)
    dialect.announce(tx)
    return len(users)


def _connected(tx: Transaction, user_ids: Iterable[str]) -> set[str]:
    is_connected = connections.c.status == ConnectionStatus.CONNECTED
    return {
        user_id
        for chunk in chunks(user_ids)
        for user_id in tx.execute(
            select(connections.c.user_id).where(is_connected, connections.c.user_id.in_(chunk))
        ).scalars()
    }


def _row(item: Wanted, now: datetime) -> dict[str, Any]:
    return {
        "user_id": item.user_id,
        "kind": item.kind,
        "trigger": item.trigger,
        "status": RunStatus.QUEUED,
        "slot": item.slot,
        "not_before": item.not_before,
        "queued_at": now,
    }


def _stand_in(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Let each user's queued or running run stand for the slot, unless another run does."""
    if not rows:
        return
    other = sync_runs.alias()
    taken = select(other.c.id).where(other.c.user_id == bindparam("of_user"), other.c.slot == bindparam("of_slot"))
    tx.execute(
        update(sync_runs)
        .where(
            sync_runs.c.user_id == bindparam("of_user"),
            IS_ACTIVE,
            sync_runs.c.slot.is_(None),
            ~taken.exists(),
        )
        .values(slot=bindparam("of_slot")),
        [{"of_user": row["user_id"], "of_slot": row["slot"]} for row in rows],
    )


def make_full(tx: Transaction, run_id: int) -> bool:
    """Turn a queued run into a full one; False if it is no longer queued."""
    changed = update(sync_runs).where(sync_runs.c.id == run_id, IS_QUEUED).values(kind=RunKind.FULL)
    return tx.execute(changed).rowcount == 1


def cancel(tx: Transaction, user_id: str, now: datetime) -> int:
    """Cancel whatever run of the user is queued or running: its worker can't write any more."""
    return tx.execute(
        update(sync_runs)
        .where(sync_runs.c.user_id == user_id, IS_ACTIVE)
        .values(status=RunStatus.CANCELLED, finished_at=end_at(now), lease_expires_at=None)
    ).rowcount
