"""What a grant is good for: fresh access tokens, whose they are, their end (OAuth 2.0: RFC 6749, 7009)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from contacts_sync import logs
from contacts_sync.errors import ConsentFailed, PassingTrouble, SyncError
from contacts_sync.google import faults
from contacts_sync.google.http import Transport, get, post_form
from contacts_sync.google.identity import refuse_another_account
from contacts_sync.google.storable import storable
from contacts_sync.model import Account, Grant

CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts.readonly"
SUFFICIENT = {CONTACTS_SCOPE, "https://www.googleapis.com/auth/contacts"}
SCOPES = ("openid", "https://www.googleapis.com/auth/userinfo.email", CONTACTS_SCOPE)
REFRESH_BEFORE = timedelta(seconds=225)  # as long before the end as Google's own library
LONGEST_ACCESS = timedelta(hours=1)
TOKEN = re.compile(r"[\x20-\x7e]{1,20000}")

log = logs.get_logger()


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The operator's client, and Google's endpoints."""

    client_id: str
    client_secret: str = field(repr=False)
    authorization: str
    token: str
    revocation: str
    userinfo: str


# -- tokens


def revoke_quietly(transport: Transport, client: OAuthClient, grant: Grant) -> None:
    """What isn't kept shouldn't stay alive at Google; if that fails, the user can still remove it there."""
    try:
        revoke(transport, client, grant.refresh_token or grant.access_token)
    except SyncError as error:
        log.warning("grant_not_revoked", error=error.message)


def refresh(transport: Transport, client: OAuthClient, grant: Grant, *, account: str = "", now: datetime) -> Grant:
    """The grant with a fresh access token; the refresh token stays unless another one comes.

    `account` is the `sub` it must be for, if known. Raises `GrantRejected` for a dead grant, `OperatorTrouble` for a
    refused client, `AccountMismatch` for another account's tokens, `PassingTrouble` and its kin.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    }
    said = post_form(transport, client.token, form)  # once a run: a session of its own would double what it costs
    answer = token_answer(said.status, said.headers, said.body, now)
    refuse_another_account(_text(answer, "id_token"), account)
    fresh = grant_of(answer, now, refresh_token=grant.refresh_token, scopes=grant.scopes)
    return replace(fresh, refresh_expires_at=fresh.refresh_expires_at or grant.refresh_expires_at)


def needs_refresh(grant: Grant, now: datetime) -> bool:
    """True if the access token has ended or soon will."""
    return now >= grant.expires_at - REFRESH_BEFORE


def token_answer(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> dict[str, Any]:
    """What the token endpoint answered: JSON with an access token. Raises what `faults.judge_token_answer` says."""
    if status != 200:
        raise faults.judge_token_answer(status, headers, body, now=now)
    try:
        answer = json.loads(storable(body))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or "error" in answer or not tokens_in(answer).get("access_token"):
        raise PassingTrouble("the token endpoint's answer is not the JSON expected")
    if not all(map(is_token, tokens_in(answer).values())):
        raise PassingTrouble("the token endpoint's answer is not the JSON expected")
    return answer


def tokens_in(answer: dict[str, Any]) -> dict[str, Any]:
    """The tokens of an answer, by name."""
    return {name: answer[name] for name in ("access_token", "refresh_token") if answer.get(name)}


def is_token(value: object) -> bool:
    """True for what RFC 6749, appendix A, calls a token: anything else could not be sent back."""
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def grant_of(answer: dict[str, Any], now: datetime, *, refresh_token: str, scopes: tuple[str, ...]) -> Grant:
    """The grant in an answer; `refresh_token` and `scopes` hold where it names none."""
    ends_in = _seconds(answer, "refresh_token_expires_in")
    return Grant(
        access_token=_text(answer, "access_token"),
        refresh_token=_text(answer, "refresh_token") or refresh_token,
        expires_at=now + min(_seconds(answer, "expires_in") or LONGEST_ACCESS, LONGEST_ACCESS),
        scopes=tuple(_text(answer, "scope").split()) or scopes,
        refresh_expires_at=now + ends_in if ends_in else None,
    )


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _seconds(answer: dict[str, Any], name: str) -> timedelta | None:
    """A positive number of seconds; anything else is none."""
    found = re.fullmatch(r"([0-9]{1,9})(\.[0-9]*)?", str(answer.get(name)))
    return timedelta(seconds=int(found[1])) if found and int(found[1]) else None


# -- the account, and the end


def account(transport: Transport, client: OAuthClient, grant: Grant) -> Account:
    """Who gave consent. Raises `ConsentFailed` if Google doesn't say, `PassingTrouble` and its kin."""
    answer = get(transport, client.userinfo, params={}, access_token=grant.access_token, user_id=None)
    if answer.status != 200:
        raise faults.judge(answer.status, answer.headers, answer.body, carried_sync_token=False, now=answer.received_at)
    try:
        found = json.loads(storable(answer.body))
    except (ValueError, RecursionError):
        raise PassingTrouble("Google's answer about the account is not the JSON expected") from None
    if not isinstance(found, dict) or not found.get("sub") or not _text(found, "email"):
        raise ConsentFailed("Google doesn't say which account gave consent", hint="begin again")
    return Account(str(found["sub"]), found["email"])


def revoke(transport: Transport, client: OAuthClient, token: str) -> bool:
    """End a grant at Google, for all its tokens. True also if it was dead already.

    Raises `PassingTrouble` and its kin if Google can't be told.
    """
    answer = post_form(transport, client.revocation, {"token": token})
    if answer.status in (200, 400):
        return True
    raise faults.judge_token_answer(answer.status, answer.headers, answer.body, now=answer.received_at)
