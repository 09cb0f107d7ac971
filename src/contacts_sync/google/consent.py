"""The consent: its URL for the browser, what comes back, and the grant for its code (RFC 6749, 7636, 8252, 9207).

requests-oauthlib speaks the protocol; what it would get wrong is handled here: errors are judged before oauthlib
disguises them, granted scopes are compared by us, and nothing depends on its environment switches.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_oauthlib import OAuth2Session

from contacts_sync.errors import ConsentFailed, GrantRejected, PassingTrouble
from contacts_sync.google import faults
from contacts_sync.google.body import whole_body
from contacts_sync.google.http import TRANSPORT_TROUBLE, Transport, prepare
from contacts_sync.google.oauth import (
    SCOPES,
    SUFFICIENT,
    OAuthClient,
    grant_of,
    revoke_quietly,
    token_answer,
    tokens_in,
)
from contacts_sync.model import Grant

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
PLAIN = {"token_type": "Bearer", "expires_in": 3600}
CODE = re.compile(r"[A-Za-z0-9/%._~-]{10,512}")


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent under way. `url` is for the browser; the rest must match when it comes back."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    code_verifier: str = field(repr=False)


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
    if not is_answer_to(consent, query):
        raise ConsentFailed("the answer is not the one to this consent (wrong state)", hint="begin again")
    if query.get("iss", ISSUERS[0]) not in ISSUERS:
        raise ConsentFailed("the answer doesn't come from Google (wrong issuer)", hint="begin again")
    if "error" in query:
        raise ConsentFailed(_refused(query["error"]), hint="begin again, and allow access to contacts")
    if not query.get("code"):
        raise ConsentFailed("the answer has no authorization code", hint="begin again")
    return query["code"]


def is_answer_to(consent: Consent, query: Mapping[str, str]) -> bool:
    """True if the state is the one sent out with this consent; compared in constant time."""
    state = query.get("state", "").encode(errors="replace")
    return hmac.compare_digest(state, consent.state.encode())


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
    if CODE.fullmatch(text):
        return unquote(text)
    if "://" not in text:  # browsers like to hide it
        text = f"{urlsplit(consent.redirect_uri).scheme}://{text}"
    if _place(text) != _place(consent.redirect_uri):
        raise ConsentFailed(
            f"that is neither a code nor an address that begins with {consent.redirect_uri}",
            hint="paste the whole address at which the browser ended",
        )
    return redirect_answer(consent, dict(parse_qsl(urlsplit(text).query)))


def _place(url: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc, parts.path or "/"


# -- the code


def exchange(transport: Transport, client: OAuthClient, consent: Consent, code: str, *, now: datetime) -> Grant:
    """The grant for an authorization code.

    Raises `ConsentFailed` for a code that is used or too old, if access to contacts wasn't granted (then the grant is
    revoked) or if no refresh token came; `OperatorTrouble` for a refused client, `PassingTrouble` and its kin.
    """
    try:
        answer = _ask_for_tokens(transport, client, consent, code, now)
    except GrantRejected:
        raise ConsentFailed("Google doesn't take the code: it is used or too old", hint="begin again") from None
    grant = grant_of(answer, now, refresh_token="", scopes=SCOPES)
    _check_consent(transport, client, grant)
    return grant


def _check_consent(transport: Transport, client: OAuthClient, grant: Grant) -> None:
    if not SUFFICIENT & set(grant.scopes):
        revoke_quietly(transport, client, grant)
        raise ConsentFailed("access to contacts was not granted", hint="begin again, and tick the box for contacts")
    if not grant.refresh_token:
        raise ConsentFailed(
            "Google gave no refresh token",
            hint="remove the app at https://myaccount.google.com/permissions and begin again",
        )


def _ask_for_tokens(
    transport: Transport, client: OAuthClient, consent: Consent, code: str, now: datetime
) -> dict[str, Any]:
    """Let requests-oauthlib ask the token endpoint, with our pool below and our judgement of the answer."""
    endpoint = _TokenEndpoint(transport.adapter, client.token, now)
    with OAuth2Session(client.client_id, redirect_uri=consent.redirect_uri) as session:
        prepare(session, endpoint, proxy=transport.session.proxies.get("https", ""))
        try:
            session.fetch_token(
                _as_https(client.token),
                code=code,
                code_verifier=consent.code_verifier,
                client_secret=client.client_secret,
                include_client_id=True,
                timeout=transport.timeouts,
            )
        except TRANSPORT_TROUBLE as trouble:
            raise faults.judge_transport(trouble) from None
        except OAuth2Error as error:
            raise PassingTrouble(f"the token endpoint's answer is not understood ({type(error).__name__})") from None
    return endpoint.answer


class _TokenEndpoint(BaseAdapter):
    """Between requests-oauthlib and the shared pool: judges every answer before oauthlib disguises it or requests
    follows it. oauthlib insists on https; below this adapter the configured scheme is used, http on loopback.
    """

    def __init__(self, pool: HTTPAdapter, url: str, now: datetime) -> None:
        super().__init__()
        self._pool = pool
        self._scheme = urlsplit(url).scheme
        self._now = now
        self.answer: dict[str, Any] = {}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Through the pool; `answer` is what came. Raises the one error of ours that says what to do."""
        request.url = self._scheme + (request.url or "").removeprefix("https")
        with self._pool.send(request, *args, **{**kwargs, "stream": True}) as response:
            self.answer = token_answer(response.status_code, response.headers, whole_body(response.raw), self._now)
        response._content = json.dumps({**tokens_in(self.answer), **PLAIN}).encode()  # noqa: SLF001  (oauthlib chokes on odd values; we read the original)
        return response

    def close(self) -> None:
        """The pool is shared: a session that ends leaves it open."""


def _as_https(url: str) -> str:
    return "https" + url.removeprefix(urlsplit(url).scheme)
