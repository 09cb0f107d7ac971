"""Trying a user's grant at Google, outside of any run."""

from __future__ import annotations

from contacts_sync import vault
from contacts_sync.errors import UnknownUser
from contacts_sync.google import grants, people
from contacts_sync.store import connections
from contacts_sync.store.engine import read, write
from contacts_sync.sync.access import remember
from contacts_sync.sync.desk import Desk


def try_grant(desk: Desk, user_id: str) -> None:
    """One live refresh and one People call. What the refresh gave is kept: it may have ended the token before.

    Raises `UnknownUser` for who isn't connected, `UnreadableGrant`, and whatever Google answers.
    """
    with read(desk.db) as tx:
        sealed, known = connections.sealed_grant(tx, user_id), connections.get(tx, user_id)
    if sealed is None or known is None:
        raise UnknownUser(user_id)
    grant = vault.open_grant(desk.vault, user_id, sealed.sealed)
    remember(grant)
    fresh = grants.refresh(desk.transport, desk.oauth, grant, account=known.google_sub, now=desk.clock())
    remember(fresh)
    with write(desk.db, durable=True) as tx:
        connections.replace_grant(tx, sealed, vault.seal_grant(desk.vault, user_id, fresh))
    people.fetch_groups(desk.people, fresh.access_token, user_id=user_id)
