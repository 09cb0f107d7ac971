"""`sync_states`: what the runs of a user leave behind for the next one, and for whoever asks how it goes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Text, Update, bindparam, case, or_, select, update

from contacts_sync.model import RunKind, RunStatus, SyncState
from contacts_sync.store import dialect
from contacts_sync.store.chunks import chunks
from contacts_sync.store.columns import Instant
from contacts_sync.store.prepared import Prepared, whole
from contacts_sync.store.tables import is_of, sync_states
from contacts_sync.store.transactions import Transaction

LONGEST_ERROR = 300
KEPT = [sync_states.c[name] for name in SyncState.__slots__]
CLEARED = {
    **dict.fromkeys(
        (
            "contacts_sync_token",
            "groups_sync_token",
            "request_fingerprint",
            "last_status",
            "last_error",
            "last_full_sync_at",
            "last_incremental_sync_at",
            "last_success_at",
        )
    ),
    "consecutive_failures": 0,
}

OF_USER = Prepared(select(*KEPT).where(sync_states.c.user_id == bindparam("of_user")))


def succeeding(user_id: ColumnElement[str], kind: ColumnElement[str]) -> Update:
    """What the success of a run of that kind leaves behind: when its kind last succeeded, and where the next starts."""
    at = bindparam("at", type_=Instant)
    full, incremental = sync_states.c.last_full_sync_at, sync_states.c.last_incremental_sync_at
    values = {
        "contacts_sync_token": bindparam("contacts", type_=Text),
        "groups_sync_token": bindparam("groups", type_=Text),
        "request_fingerprint": bindparam("fingerprint", type_=Text),
        "last_status": RunStatus.SUCCEEDED,
        "last_error": None,
        "last_success_at": at,
        "consecutive_failures": 0,
        "last_full_sync_at": case((kind == RunKind.FULL, at), else_=full),
        "last_incremental_sync_at": case((kind == RunKind.FULL, incremental), else_=at),
    }
    return whole(update(sync_states)).where(sync_states.c.user_id == user_id).values(values)


def sync_state(tx: Transaction, user_id: str) -> SyncState:
    """Where a user's sync stands; an empty state for a user nobody knows."""
    row = OF_USER.row(tx, of_user=user_id)
    return SyncState(*row) if row else SyncState(user_id)


def every_sync_state(tx: Transaction, user_id: str | None = None) -> dict[str, SyncState]:
    """Where everybody's sync (or the given user's) stands."""
    rows = tx.execute(select(*KEPT).where(is_of(sync_states, user_id))).all()
    return {row[0]: SyncState(*row) for row in rows}


def clear(tx: Transaction, user_id: str) -> None:
    """Forget tokens, times and failures, as before the first sync. Makes the row if there is none."""
    tx.execute(
        dialect.upsert(tx, sync_states)
        .values(user_id=user_id, **CLEARED)
        .on_conflict_do_update(index_elements=["user_id"], set_=CLEARED)
    )


def note_queued(tx: Transaction, user_ids: Collection[str], now: datetime) -> None:
    """Every slot of these users up to `now` has its run."""
    known = sync_states.c.queued_until
    for chunk in chunks(user_ids):
        tx.execute(
            update(sync_states)
            .where(sync_states.c.user_id.in_(chunk), or_(known.is_(None), known < now))
            .values(queued_until=now)
        )


def note_failure(tx: Transaction, user_id: str, message: str) -> None:
    """A run of this user has failed."""
    tx.execute(
        update(sync_states)
        .where(sync_states.c.user_id == user_id)
        .values(
            last_status=RunStatus.FAILED,
            last_error=" ".join(message.split())[:LONGEST_ERROR],
            consecutive_failures=sync_states.c.consecutive_failures + 1,
        )
    )
