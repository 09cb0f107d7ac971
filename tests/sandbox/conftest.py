"""A sandbox with one account, and somebody who talks to it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from contacts_sync.sandbox import Account, Sandbox

ANN = "ann@example.com"
REDIRECT = "http://127.0.0.1:8765/callback"
CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"
SCOPE = f"openid https://www.googleapis.com/auth/userinfo.email {CONTACTS}"
VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Caller:
    """Talks plain HTTP to the sandbox. `token` is the access token it shows, or "" for none."""

    def __init__(self, google: Sandbox, session: requests.Session) -> None:
        self.google = google
        self.session = session
        self.token = google.world.grants.issue_access(ANN, tuple(SCOPE.split()))

    def get(self, path: str, **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.session.get(self.google.url + path, params=query, headers=headers, timeout=10)

    def connections(self, **query: Any) -> requests.Response:
        fixed = {"personFields": "metadata,names,memberships", "sources": "READ_SOURCE_TYPE_CONTACT"}
        return self.get("/v1/people/me/connections", **{**fixed, "requestSyncToken": "true", **query})

    def listing(self, **query: Any) -> tuple[list[dict[str, Any]], str]:
        """All pages of a listing: the people and the sync token."""
        people, token = [], ""
        while True:
            page = self.connections(**query, **({"pageToken": token} if token else {})).json()
            people += page.get("connections", [])
            token = page.get("nextPageToken", "")
            if not token:
                return people, page["nextSyncToken"]

    def consent(self, **query: str) -> requests.Response:
        fixed = {"client_id": self.google.client_id, "redirect_uri": REDIRECT, "response_type": "code"}
        pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        whole = {**fixed, "scope": SCOPE, "state": "xyz", **pkce, **query}
        url = self.google.endpoints["authorization"]
        return self.session.get(url, params=whole, allow_redirects=False, timeout=10)

    def redirect(self, **query: str) -> dict[str, str]:
        """The query with which a consent comes back."""
        location = urlsplit(self.consent(**query).headers["Location"])
        return {name: values[0] for name, values in parse_qs(location.query).items()}

    def post(self, endpoint: str, form: dict[str, str], **options: Any) -> requests.Response:
        return self.session.post(self.google.endpoints[endpoint], data=form, timeout=10, **options)

    def ask_token(self, **form: str) -> requests.Response:
        client = {"client_id": self.google.client_id, "client_secret": self.google.client_secret}
        return self.post("token", {**client, **form})

    def exchange(self, code: str, **form: str) -> requests.Response:
        fixed = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        return self.ask_token(**{**fixed, "code_verifier": VERIFIER, **form})

    def refresh(self, token: str) -> requests.Response:
        return self.ask_token(grant_type="refresh_token", refresh_token=token)


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def account(google: Sandbox) -> Account:
    return google.world.add_account(ANN)


@pytest.fixture
def caller(google: Sandbox, account: Account) -> Iterator[Caller]:
    with requests.Session() as session:
        session.trust_env = False
        yield Caller(google, session)
