"""Whose tokens these are: the account a connection is pinned to, held against what Google says. Pure."""

from __future__ import annotations

import base64
import json

from contacts_sync.errors import AccountMismatch


def refuse_another_account(id_token: str, pinned: str) -> None:
    """Raise `AccountMismatch` if the answer of the token endpoint names another account than the `pinned` one.

    `id_token` is empty where none was given. Its signature needs no check: it came straight from Google over TLS
    (OpenID Connect Core section 3.1.3.7). An account known by its e-mail address only has no `sub` to compare.
    """
    subject = _subject(id_token)
    if subject and pinned and "@" not in pinned and subject != pinned:
        raise AccountMismatch(
            "Google answered for another account than the one that is connected; nothing was written",
            hint="see whether a proxy mixes up answers, then run again; if the account is right: contacts-sync connect",
        )


def _subject(id_token: str) -> str:
    """The claims are the middle part (RFC 7519 section 3.1); nothing is verified, so PyJWT needn't be loaded."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(id_token.split(".")[1] + "=="))
    except (ValueError, IndexError, RecursionError):
        return ""
    return str(claims.get("sub") or "") if isinstance(claims, dict) else ""
