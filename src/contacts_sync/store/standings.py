"""How users stand, for `status`: one look at the store, for one user or for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from contacts_sync.model import Connection, Run, SyncState
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Standing:
    """`active` is the user's queued or running run, `failed` the latest that ended, if it failed."""

    connection: Connection
    state: SyncState
    contacts: int
    unreadable: int
    active: Run | None
    failed: Run | None


def standings(tx: Transaction, user_id: str | None = None) -> list[Standing]:
    """Everybody who was ever connected, by user id, or the one user; nobody for a user nobody knows."""
    states, counts = connections.every_sync_state(tx, user_id), connections.contact_counts(tx, user_id)
    unreadable = contacts.unreadable_counts(tx, user_id)
    active, failed = runs.active(tx, user_id), runs.latest_failed(tx, user_id)
    return [
        Standing(
            connection=one,
            state=states.get(one.user_id) or SyncState(one.user_id),
            contacts=counts.get(one.user_id, 0),
            unreadable=unreadable.get(one.user_id, 0),
            active=active.get(one.user_id),
            failed=failed.get(one.user_id),
        )
        for one in connections.every(tx, user_id)
    ]
