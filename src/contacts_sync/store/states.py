"""`sync_states`: what the runs of a user leave behind for the next one, and for whoever asks how it goes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Column, Text, bindparam, or_, select, update

from contacts_sync.model import Run, RunKind, RunStatus, SyncState
from contacts_sync.store import dialect
from contacts_sync.store.chunks import chunks
from contacts_sync.store.columns import Instant
from contacts_sync.store.prepared import Prepared
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


def _succeeding(latest: Column[datetime]) -> Prepared:
    """What a success leaves behind; `latest` is when a run of its kind last succeeded."""
    at = bindparam("at", type_=Instant)
    values = {
        "contacts_sync_token": bindparam("contacts", type_=Text),
        "groups_sync_token": bindparam("groups", type_=Text),
        "request_fingerprint": bindparam("fingerprint", type_=Text),
        "last_status": RunStatus.SUCCEEDED,
        "last_error": None,
        "last_success_at": at,
        "consecutive_failures": 0,
        latest.name: at,
    }
    of_user = sync_states.c.user_id == bindparam("of_user", type_=Text)
    return Prepared(update(sync_states).where(of_user).values(values))


SUCCEEDED = {
    RunKind.FULL: _succeeding(sync_states.c.last_full_sync_at),
    RunKind.INCREMENTAL: _succeeding(sync_states.c.last_incremental_sync_at),
}


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


def note_success(
    tx: Transaction,
    run: Run,
    now: datetime,
    *,
    contacts_sync_token: str | None,
    groups_sync_token: str | None,
    fingerprint: str,
) -> None:
    """A run of this kind has succeeded: the next one starts from these tokens."""
    SUCCEEDED[run.kind].change(
        tx,
        of_user=run.user_id,
        at=now,
        contacts=contacts_sync_token,
        groups=groups_sync_token,
        fingerprint=fingerprint,
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
