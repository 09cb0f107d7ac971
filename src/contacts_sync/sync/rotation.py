"""Sealing every stored token anew with the first key."""

from __future__ import annotations

from dataclasses import dataclass

from contacts_sync.errors import UnreadableGrant
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, read, write
from contacts_sync.vault import Vault


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many grants were sealed anew, and whose don't open with any key."""

    resealed: int
    unreadable: tuple[str, ...]


def rotate_all(db: Database, keys: Vault) -> Rotated:
    """Seal each grant anew, one short transaction a user: safe beside running syncs, and safe to repeat."""
    with read(db) as tx:
        users = [connection.user_id for connection in connections.every(tx)]
    resealed, unreadable = 0, []
    for user_id in users:
        try:
            resealed += _rotate(db, keys, user_id)
        except UnreadableGrant:
            unreadable.append(user_id)
    return Rotated(resealed, tuple(unreadable))


def _rotate(db: Database, keys: Vault, user_id: str) -> bool:
    """False for a user without tokens. A grant that a sync replaces meanwhile is sealed with the first key anyway."""
    with write(db, durable=True) as tx:
        sealed = connections.sealed_grant(tx, user_id)
        if sealed is None:
            return False
        return connections.replace_grant(tx, sealed, keys.reseal(user_id, sealed.sealed))
