"""Fresh access tokens, whatever kind of grant they come from."""

from __future__ import annotations

from datetime import datetime

from contacts_sync.google import oauth, service_account
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.model import Grant


def refresh(transport: Transport, client: OAuthClient, grant: Grant, *, now: datetime) -> Grant:
    """The grant with a fresh access token: by a refresh token, or by a service account's next assertion.

    Raises `GrantRejected` for a dead grant, `OperatorTrouble` for a refused client, `PassingTrouble` and its kin.
    """
    if grant.service_account:
        return service_account.delegated(transport, client, grant.service_account, grant.subject, now=now)
    return oauth.refresh(transport, client, grant, now=now)
