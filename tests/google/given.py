"""The operator's client at the real Google, and a consent that somebody gives at the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import requests

from contacts_sync.google.consent import Consent, begin, exchange, redirect_answer
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.model import Grant

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REDIRECT = "http://127.0.0.1:8765/oauth2callback"
REAL = OAuthClient(
    "id",
    "GOCSPX-secret",
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com/revoke",
    "https://openidconnect.googleapis.com/v1/userinfo",
)


def came_back(consent: Consent) -> dict[str, str]:
    answer = requests.get(consent.url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def granted(transport: Transport, client: OAuthClient, *, now: datetime = NOW) -> Grant:
    consent = begin(client, REDIRECT)
    code = redirect_answer(consent, came_back(consent))
    return exchange(transport, client, consent, code, now=now)
