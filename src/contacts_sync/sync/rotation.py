"""Sealing every stored token anew with the first key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contacts_sync.errors import UnreadableGrant
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, Transaction, read, write
from contacts_sync.vault import Vault

Show = Callable[[int, int], object]
BATCH = 100  # tokens sealed in one transaction: few commits for many users, and a short one for who waits


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many grants were sealed anew, how many were already, and whose don't open with any key."""

    resealed: int
    current: int
    unreadable: tuple[str, ...]


def rotate_all(db: Database, keys: Vault, show: Show = lambda _done, _total: None) -> Rotated:
    """Seal each grant anew, in short transactions: safe beside running syncs. What an interrupted rotation has
    done already is left as it is. `show` is told how many of how many users have been looked at.
    """
    with read(db) as tx:
        users = [grant.user_id for grant in connections.every_grant(tx)]
    resealed, unreadable = 0, list[str]()
    for start in range(0, len(users), BATCH):
        batch = users[start : start + BATCH]
        with write(db, durable=True) as tx:
            resealed += _rotate(tx, keys, batch, unreadable)
        show(start + len(batch), len(users))
    return Rotated(resealed, len(users) - resealed - len(unreadable), tuple(unreadable))


def _rotate(tx: Transaction, keys: Vault, users: Sequence[str], unreadable: list[str]) -> int:
    """A grant that a sync replaces meanwhile is sealed with the first key anyway."""
    resealed = 0
    for user_id in users:
        sealed = connections.sealed_grant(tx, user_id)
        if sealed is None or keys.is_current(sealed.sealed):
            continue
        try:
            resealed += connections.replace_grant(tx, sealed, keys.reseal(user_id, sealed.sealed))
        except UnreadableGrant:
            unreadable.append(user_id)
    return resealed
