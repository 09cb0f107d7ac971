"""OAuth 2.0 with Google: consent URL, code -> grant, refresh, revoke (RFC 6749, 7636, 7009, 8252, 9207).

requests-oauthlib speaks the protocol; what it would get wrong is handled here: errors are judged before oauthlib
disguises them, granted scopes are compared by us, and nothing depends on its environment switches.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth2Session

from contacts_sync.errors import ConsentFailed, OperatorTrouble, PassingTrouble, SyncError
from contacts_sync.google import faults
from contacts_sync.google.http import Transport, get, post_form, prepare
from contacts_sync.model import Account, Grant

CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts.readonly"
SUFFICIENT = {CONTACTS_SCOPE, "https://www.googleapis.com/auth/contacts"}
SCOPES = ("openid", "https://www.googleapis.com/auth/userinfo.email", CONTACTS_SCOPE)
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
REFRESH_BEFORE = timedelta(seconds=225)  # as long before the end as Google's own library
LONGEST_ACCESS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The operator's client, and Google's endpoints."""

    client_id: str
    client_secret: str = field(repr=False)
    authorization: str
    token: str
    revocation: str
    userinfo: str


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent under way. `url` is for the browser; the rest must match when it comes back."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    code_verifier: str = field(repr=False)


# -- consent


def begin(client: OAuthClient, redirect_uri: str, *, login_hint: str | None = None) -> Consent:
    """Prepare a consent with fresh state and PKCE verifier (S256)."""
    oauth = WebApplicationClient(client.client_id)
    state, verifier = secrets.token_urlsafe(32), oauth.create_code_verifier(86)
    url = oauth.prepare_request_uri(
        _as_https(client.authorization),
        redirect_uri=redirect_uri,
        scope=list(SCOPES),
        state=state,
        code_challenge=oauth.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        access_type="offline",
        prompt="consent",
        **({"login_hint": login_hint} if login_hint else {}),
    )
    scheme = urlsplit(client.authorization).scheme
    return Consent(f"{scheme}{url.removeprefix('https')}", redirect_uri, state, verifier)


def redirect_answer(consent: Consent, query: Mapping[str, str]) -> str:
    """The authorization code that came back. Raises `ConsentFailed` for anything but our consent's answer."""
    if not hmac.compare_digest(query.get("state", "").encode(), consent.state.encode()):
        raise ConsentFailed("the answer is not the one to this consent (wrong state)", hint="begin again")
    if query.get("iss", ISSUERS[0]) not in ISSUERS:
        raise ConsentFailed("the answer doesn't come from Google (wrong issuer)", hint="begin again")
    if "error" in query:
        raise ConsentFailed(_refused(query["error"]), hint="begin again, and allow access to contacts")
    if not query.get("code"):
        raise ConsentFailed("the answer has no authorization code", hint="begin again")
    return query["code"]


def _refused(error: str) -> str:
    if error == "access_denied":
        return "consent was refused"
    known = re.fullmatch(r"[a-z_]{1,40}", error)
    return f"Google ended the consent with {error}" if known else "Google ended the consent with an error"


def parse_redirect(consent: Consent, pasted: str) -> str:
    """The code in a pasted redirect address, or a pasted bare code; blanks and line breaks don't matter.

    Raises `ConsentFailed` for an address that isn't this consent's.
    """
    text = "".join(pasted.split())
    if "://" not in text:
        if not re.fullmatch(r"[\w/%.~-]{10,512}", text):
            raise ConsentFailed("that is neither the address you ended at nor a code", hint="paste the whole address")
        return text.replace("%2F", "/").replace("%2f", "/")
    given, wanted = urlsplit(text), urlsplit(consent.redirect_uri)
    if (given.scheme, given.netloc, given.path or "/") != (wanted.scheme, wanted.netloc, wanted.path or "/"):
        raise ConsentFailed(
            f"that address doesn't begin with {consent.redirect_uri}", hint="paste the address you ended at"
        )
    return redirect_answer(consent, dict(parse_qsl(given.query)))


# -- tokens


def exchange(transport: Transport, client: OAuthClient, consent: Consent, code: str, *, now: datetime) -> Grant:
    """The grant for an authorization code.

    Raises `ConsentFailed` if access to contacts wasn't granted or no refresh token came (then the grant is revoked),
    `OperatorTrouble` for a refused client, `PassingTrouble` and its kin.
    """
    answer = _ask(
        transport,
        client,
        lambda session: session.fetch_token(
            _as_https(client.token),
            code=code,
            code_verifier=consent.code_verifier,
            client_secret=client.client_secret,
            include_client_id=True,
            timeout=transport.timeouts,
        ),
        redirect_uri=consent.redirect_uri,
    )
    grant = _grant(answer, now, refresh_token="", scopes=SCOPES)
    _check_consent(transport, client, grant)
    return grant


def _check_consent(transport: Transport, client: OAuthClient, grant: Grant) -> None:
    if not SUFFICIENT & set(grant.scopes):
        _revoke_quietly(transport, client, grant)
        raise ConsentFailed("access to contacts was not granted", hint="begin again, and tick the box for contacts")
    if not grant.refresh_token:
        raise ConsentFailed(
            "Google gave no refresh token",
            hint="remove the app at https://myaccount.google.com/permissions and begin again",
        )


def _revoke_quietly(transport: Transport, client: OAuthClient, grant: Grant) -> None:
    """What isn't kept shouldn't stay alive at Google; if that fails, the user can still remove it there."""
    try:
        revoke(transport, client, grant.refresh_token or grant.access_token)
    except SyncError:
        return


def refresh(transport: Transport, client: OAuthClient, grant: Grant, *, now: datetime) -> Grant:
    """The grant with a fresh access token; the refresh token stays unless another one comes.

    Raises `GrantRejected` for a dead grant, `OperatorTrouble` for a refused client, `PassingTrouble` and its kin.
    """
    answer = _ask(
        transport,
        client,
        lambda session: session.refresh_token(
            _as_https(client.token),
            refresh_token=grant.refresh_token,
            client_id=client.client_id,
            client_secret=client.client_secret,
            timeout=transport.timeouts,
        ),
    )
    fresh = _grant(answer, now, refresh_token=grant.refresh_token, scopes=grant.scopes)
    return fresh if fresh.refresh_expires_at else _with_end(fresh, grant.refresh_expires_at)


def _with_end(grant: Grant, refresh_expires_at: datetime | None) -> Grant:
    return Grant(grant.access_token, grant.refresh_token, grant.expires_at, grant.scopes, refresh_expires_at)


def needs_refresh(grant: Grant, now: datetime) -> bool:
    """True if the access token has ended or soon will."""
    return now >= grant.expires_at - REFRESH_BEFORE


def _ask(
    transport: Transport,
    client: OAuthClient,
    ask: Callable[[OAuth2Session], Any],
    *,
    redirect_uri: str | None = None,
) -> dict[str, Any]:
    """Let requests-oauthlib ask the token endpoint, with our adapter below and our judgement of the answer."""
    told: list[dict[str, Any]] = []

    def judged(response: requests.Response) -> requests.Response:
        told.append(_token_answer(response))
        response._content = json.dumps({**told[-1], "expires_in": 3600}).encode()  # noqa: SLF001  (oauthlib chokes on odd values; we read the original)
        return response

    with OAuth2Session(client.client_id, redirect_uri=redirect_uri) as session:
        prepare(session, transport.adapter, proxy=transport.session.proxies.get("https", ""))
        session.mount(_as_https(client.token), _ToConfigured(transport.adapter, client.token))
        session.register_compliance_hook("access_token_response", judged)
        session.register_compliance_hook("refresh_token_response", judged)
        try:
            ask(session)
        except requests.TooManyRedirects:
            raise OperatorTrouble(
                "the token endpoint answers with a redirect", hint="check google.endpoints.token"
            ) from None
        except requests.RequestException as trouble:
            raise faults.judge_transport(trouble) from None
        except OAuth2Error as error:
            raise PassingTrouble(f"the token endpoint's answer is not understood ({type(error).__name__})") from None
        finally:
            session.adapters.clear()  # the pool below is shared: closing this session must not close it
    return told[0]


class _ToConfigured(HTTPAdapter):
    """oauthlib insists on https; an endpoint on loopback may be http. Below it the configured scheme is used."""

    def __init__(self, pool: HTTPAdapter, url: str) -> None:
        super().__init__()
        self._pool = pool
        self._scheme = urlsplit(url).scheme

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Through the shared pool, with the configured scheme."""
        request.url = self._scheme + (request.url or "").removeprefix("https")
        return self._pool.send(request, *args, **kwargs)


def _as_https(url: str) -> str:
    return "https" + url.removeprefix(urlsplit(url).scheme)


def _token_answer(response: requests.Response) -> dict[str, Any]:
    """The token endpoint's JSON, or the one error of ours that says what to do."""
    if response.status_code != 200:
        raise faults.judge_token_answer(response.status_code, response.headers, response.content, now=datetime.now(UTC))
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not _text(answer, "access_token"):
        raise PassingTrouble("the token endpoint's answer is not the JSON expected")
    return {**answer, "token_type": "Bearer"}


def _grant(answer: dict[str, Any], now: datetime, *, refresh_token: str, scopes: tuple[str, ...]) -> Grant:
    ends_in = _seconds(answer, "refresh_token_expires_in")
    return Grant(
        access_token=_text(answer, "access_token"),
        refresh_token=_text(answer, "refresh_token") or refresh_token,
        expires_at=now + min(_seconds(answer, "expires_in") or timedelta(0), LONGEST_ACCESS),
        scopes=tuple(_text(answer, "scope").split()) or scopes,
        refresh_expires_at=now + ends_in if ends_in else None,
    )


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _seconds(answer: dict[str, Any], name: str) -> timedelta | None:
    """A positive number of seconds; anything else is none."""
    value = answer.get(name)
    number = int(value) if isinstance(value, int | float | str) and re.fullmatch(r"\d{1,9}", str(value)) else 0
    return timedelta(seconds=number) if number else None


# -- the account, and the end


def account(transport: Transport, client: OAuthClient, grant: Grant) -> Account:
    """Who gave consent. Raises `ConsentFailed` if Google doesn't say, `PassingTrouble` and its kin."""
    answer = get(transport, client.userinfo, params={}, access_token=grant.access_token, user_id="")
    if answer.status != 200:
        raise faults.judge(answer.status, answer.headers, answer.body, carried_sync_token=False, now=datetime.now(UTC))
    try:
        found = json.loads(answer.body)
    except ValueError:
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
    raise faults.judge_token_answer(answer.status, answer.headers, answer.body, now=datetime.now(UTC))
