"""Domain-wide delegation: a service account's signed assertion (RFC 7523) instead of a user's consent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts_sync.sandbox.answers import Answer, RefusedError, json_answer, oauth_error
from contacts_sync.sandbox.world import World

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
_UNAUTHORIZED = (
    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
    "of the scopes requested."
)
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo of RFC 8017, 9.2
_SKEW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account that a domain trusts with `scopes` for everybody, and its RSA public key."""

    email: str
    modulus: int
    exponent: int
    scopes: tuple[str, ...]


def exchange(world: World, trusted: Mapping[str, ServiceAccount], form: Mapping[str, str]) -> Answer:
    """An access token for the assertion's subject; no refresh token and no scope, as Google answers."""
    claims, signed, signature = _parts(form.get("assertion", ""))
    account = trusted.get(str(claims.get("iss")))
    if account is None:
        return oauth_error("invalid_grant", "Invalid grant: account not found")
    if not _verified(account, signed, signature):
        return oauth_error("invalid_grant", "Invalid JWT Signature.")
    if not _timely(claims, int(world.now().timestamp())):
        return oauth_error("invalid_grant", _TIMEFRAME)
    return _granted(world, account, str(claims.get("sub")), tuple(str(claims.get("scope", "")).split()))


def _parts(assertion: str) -> tuple[dict[str, Any], bytes, bytes]:
    try:
        header, payload, signature = assertion.split(".")
        return json.loads(_decoded(payload)), f"{header}.{payload}".encode(), _decoded(signature)
    except ValueError:
        raise RefusedError(oauth_error("invalid_grant", "Invalid JWT: malformed assertion")) from None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _verified(account: ServiceAccount, signed: bytes, signature: bytes) -> bool:
    """RS256: the signature, opened with the public key, is the padded SHA-256 of what was signed."""
    size = (account.modulus.bit_length() + 7) // 8
    opened = pow(int.from_bytes(signature), account.exponent, account.modulus).to_bytes(size)
    digest = _SHA256_PREFIX + hashlib.sha256(signed).digest()
    padding = b"\xff" * (size - len(digest) - 3)
    return hmac.compare_digest(opened, b"\x00\x01" + padding + b"\x00" + digest)


def _timely(claims: Mapping[str, Any], now: int) -> bool:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        return False
    return issued - _SKEW_SECONDS <= now < expires <= issued + 3600


def _granted(world: World, account: ServiceAccount, subject: str, scopes: tuple[str, ...]) -> Answer:
    if not scopes or not set(scopes) <= set(account.scopes):
        return oauth_error("unauthorized_client", _UNAUTHORIZED, 401)
    if subject not in {known.email for known in world.accounts()}:
        return oauth_error("invalid_grant", "Invalid email or User ID")
    token = world.grants.issue_access(subject, scopes)
    lifetime = int(world.grants.access_token_lifetime.total_seconds())
    return json_answer({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})
