"""What was granted: authorization codes, access tokens and refresh tokens. Thread safe."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_CODE_LIFETIME = timedelta(minutes=10)
_LIVE_REFRESH_TOKENS = 100  # per account and client; one more and the oldest dies silently


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code waiting to be exchanged, once."""

    email: str
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """An access or refresh token. `expires_at` None: no end of its own."""

    email: str
    scopes: tuple[str, ...]
    expires_at: datetime | None


class Grants:
    """All codes and tokens of the simulated project. The public attributes script what is given out next;
    a `refresh_token_lifetime` of 7 days is what apps in Testing get.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.access_token_lifetime = timedelta(seconds=3599)
        self.refresh_token_lifetime: timedelta | None = None
        self.rotate_refresh_tokens = False
        self.give_refresh_token = True
        self.give_id_token = True
        self._now = now
        self._lock = threading.RLock()
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}

    def issue_code(self, email: str, scopes: tuple[str, ...], redirect_uri: str, challenge: str) -> str:
        """A fresh authorization code."""
        code = f"4/0A{secrets.token_urlsafe(52)}"
        with self._lock:
            self._codes[code] = Code(email, scopes, redirect_uri, challenge, self._now() + _CODE_LIFETIME)
        return code

    def take_code(self, code: str) -> Code | None:
        """The code's grant, once; None when it is unknown, used or older than ten minutes."""
        with self._lock:
            found = self._codes.pop(code, None)
        return found if found and found.expires_at > self._now() else None

    def issue_access(self, email: str, scopes: tuple[str, ...]) -> str:
        """A fresh access token."""
        token = f"ya29.a0{secrets.token_urlsafe(150)}"
        with self._lock:
            self._access[token] = Token(email, scopes, self._now() + self.access_token_lifetime)
        return token

    def issue_refresh(self, email: str, scopes: tuple[str, ...]) -> str:
        """A fresh refresh token; beyond a hundred live ones of an account the oldest dies."""
        token = f"1//0{secrets.token_urlsafe(75)}"
        end = self._now() + self.refresh_token_lifetime if self.refresh_token_lifetime else None
        with self._lock:
            self._refresh[token] = Token(email, scopes, end)
            own = [known for known, grant in self._refresh.items() if grant.email == email]
            for old in own[:-_LIVE_REFRESH_TOKENS]:
                del self._refresh[old]
        return token

    def access(self, token: str) -> Token | None:
        """The live access token's grant."""
        return self._live(self._access, token)

    def refresh(self, token: str) -> Token | None:
        """The live refresh token's grant."""
        return self._live(self._refresh, token)

    def retire(self, refresh_token: str) -> None:
        """Rotation: the refresh token that was just used dies."""
        with self._lock:
            self._refresh.pop(refresh_token, None)

    def owner(self, secret: str) -> str | None:
        """The account behind a code or token, live or not yet forgotten."""
        with self._lock:
            found = self._access.get(secret) or self._refresh.get(secret) or self._codes.get(secret)
        return found.email if found else None

    def revoke(self, email: str) -> None:
        """Everything of the account dies, for the whole project, as Google's revocation does it."""
        with self._lock:
            self._access = {token: grant for token, grant in self._access.items() if grant.email != email}
            self._refresh = {token: grant for token, grant in self._refresh.items() if grant.email != email}

    def expire_access(self, email: str) -> None:
        """The account's access tokens die early; its refresh tokens stay."""
        with self._lock:
            self._access = {token: grant for token, grant in self._access.items() if grant.email != email}

    def _live(self, tokens: dict[str, Token], token: str) -> Token | None:
        with self._lock:
            found = tokens.get(token)
        if found and found.expires_at and found.expires_at <= self._now():
            return None
        return found
