"""Whose tokens these are: the account a connection is pinned to, held against what Google says. Pure."""

from __future__ import annotations

import jwt

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
    try:
        claims = jwt.decode(id_token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    return str(claims.get("sub") or "")
