"""Telling the wrong key file from a single grant that can't be read."""

from __future__ import annotations

from pathlib import Path

from contacts_sync import vault
from contacts_sync.errors import KeyProblem, UnreadableGrant
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, read


def refuse_wrong_key(db: Database, key_file: Path) -> None:
    """Raise `KeyProblem` if the store holds tokens and the keys open none of them: nobody's grant is to blame.

    One grant that opens is enough: the others then have a trouble of their own.
    """
    keys = vault.current_keys(key_file)
    seen = False
    with read(db) as tx:
        for grant in connections.every_grant(tx):
            if _opens(keys, grant.user_id, grant.sealed):
                return
            seen = True
    if seen:
        raise KeyProblem(
            f"no key in {key_file} opens any of the store's tokens",
            hint="put the key back that they were sealed with; if it is lost, connect each user again",
        )


def _opens(keys: vault.Vault, user_id: str, sealed: str) -> bool:
    try:
        vault.open_grant(keys, user_id, sealed)
    except UnreadableGrant:
        return False
    return True
