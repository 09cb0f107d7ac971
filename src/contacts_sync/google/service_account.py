"""A Workspace service account with domain-wide delegation: signed assertions in place of consents (RFC 7523)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import jwt

from contacts_sync.errors import ConfigurationError, GrantRejected, OperatorTrouble, PassingTrouble, RequestRejected
from contacts_sync.google import faults
from contacts_sync.google.http import Transport, post_form
from contacts_sync.google.oauth import CONTACTS_SCOPE, LONGEST_ACCESS, OAuthClient, is_token
from contacts_sync.model import Grant

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
LIFETIME = timedelta(hours=1)
NEEDED = ("client_email", "client_id", "private_key", "private_key_id")


def read_key(path: Path) -> str:
    """The JSON key that Google's console gives for a service account, as it is. Raises `ConfigurationError`."""
    hint = "download a JSON key in Google's console: IAM & Admin, Service Accounts, Keys"
    try:
        text = path.read_text("utf-8-sig")
        key = json.loads(text)
        assertion = jwt.encode({name: key[name] for name in NEEDED}, key["private_key"], algorithm="RS256")
    except OSError as error:
        raise ConfigurationError(f"the key {path} can't be read: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError):
        raise ConfigurationError(f"{path} is not the JSON key of a service account", hint=hint) from None
    if key["type"] != "service_account" or not assertion:
        raise ConfigurationError(f"{path} is the key of something else than a service account", hint=hint)
    return text


def delegated(transport: Transport, client: OAuthClient, key: str, subject: str, *, now: datetime) -> Grant:
    """Access to the contacts of `subject` (an e-mail address of the domain) with a service account's key.

    Raises `OperatorTrouble` if the domain's administrator hasn't allowed it, `GrantRejected` for an unknown subject,
    `PassingTrouble` and its kin.
    """
    form = {"grant_type": JWT_BEARER, "assertion": _assertion(key, subject, now)}
    answer = post_form(transport, client.token, form)
    if answer.status != 200:
        judged = faults.judge_token_answer(answer.status, answer.headers, answer.body, now=now)
        raise _explained(judged, json.loads(key), subject)
    token = _access_token(answer.body)
    return Grant(token, "", now + LONGEST_ACCESS, (CONTACTS_SCOPE,), service_account=key, subject=subject)


def _assertion(key: str, subject: str, now: datetime) -> str:
    account = json.loads(key)
    claims = {
        "iss": account["client_email"],
        "sub": subject,
        "scope": CONTACTS_SCOPE,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    return jwt.encode(claims, account["private_key"], algorithm="RS256", headers={"kid": account["private_key_id"]})


def _access_token(body: bytes) -> str:
    try:
        token = json.loads(body)["access_token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not is_token(token):
        raise PassingTrouble("the token endpoint's answer is not the JSON expected")
    return token


def _explained(error: Exception, account: dict[str, str], subject: str) -> Exception:
    """The same trouble, with what a Workspace administrator has to do about it."""
    if isinstance(error, OperatorTrouble):
        return OperatorTrouble(
            f"the service account may not read contacts for the domain: {error.message}",
            hint="in the Admin console, Security, API controls, Domain-wide delegation, add client id "
            f"{account['client_id']} with the scope {CONTACTS_SCOPE}",
        )
    if isinstance(error, GrantRejected | RequestRejected):
        return GrantRejected(
            f"Google knows no {subject} that this service account may speak for",
            hint="in the Admin console, Directory, Users, see that it is a user of the domain that has delegated "
            f"{CONTACTS_SCOPE} to client id {account['client_id']}; check this machine's clock, too",
        )
    return error
