"""Opaque tokens that carry their meaning with them: sealed so that a corrupt or foreign one is noticed."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets

_KEY = secrets.token_bytes(32)
_MAC_BYTES = 12


def seal(*parts: str | int) -> str:
    """A URL-safe token that `unseal` turns back into `parts`, in this process only."""
    payload = json.dumps(parts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(payload) + payload).decode()


def unseal(token: str) -> list[str | int] | None:
    """The parts of a token, or None for anything that `seal` didn't make."""
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(payload)):
        return None
    parts: list[str | int] = json.loads(payload)
    return parts


def _mac(payload: bytes) -> bytes:
    return hmac.digest(_KEY, payload, "sha256")[:_MAC_BYTES]
