"""Fresh access tokens, whatever kind of grant they come from."""

from __future__ import annotations

from datetime import datetime

from contacts_sync.google import oauth
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.model import Grant


def refresh(transport: Transport, client: OAuthClient, grant: Grant, *, account: str = "", now: datetime) -> Grant:
    """The grant with a fresh access token: by a refresh token, or by a service account's next assertion.

    `account` is the `sub` it must be for, if known. Raises `GrantRejected` for a dead grant, `OperatorTrouble` for a
    refused client, `AccountMismatch` for another account's tokens, `PassingTrouble` and its kin.
    """
    well = False
    try:
        if grant.service_account:
            from contacts_sync.google import service_account  # noqa: PLC0415  (few have one; PyJWT is slow to load)

            fresh = service_account.delegated(transport, client, grant.service_account, grant.subject, now=now)
        else:
            fresh = oauth.refresh(transport, client, grant, account=account, now=now)
        well = True
    finally:
        transport.tally.refreshed(well=well)
    return fresh
