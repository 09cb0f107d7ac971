"""Google's OAuth 2.0 for installed apps: consent, code exchange with PKCE, refresh, revocation, userinfo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlencode, urlsplit

from contacts_sync.sandbox.account import Account
from contacts_sync.sandbox.answers import (
    HTML,
    Answer,
    RefusedError,
    Request,
    encode,
    html_answer,
    json_answer,
    oauth_error,
)
from contacts_sync.sandbox.consent import Consent, page
from contacts_sync.sandbox.grants import Token
from contacts_sync.sandbox.world import World

ISSUER = "https://accounts.google.com"
_EMAIL_SCOPES = {"email", "https://www.googleapis.com/auth/userinfo.email"}
_ALIASES = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}


@dataclass(frozen=True, slots=True)
class Client:
    """The OAuth client that the operator registered."""

    client_id: str
    client_secret: str


def authorize(world: World, client: Client, consent: Consent, request: Request) -> Answer:
    """GET of the authorization endpoint: a redirect to the client, a page for a human, or an error page."""
    problem = _request_problem(client, request)
    if problem:
        return html_answer(f"<title>Error {problem}</title><h1>Access blocked</h1><p>Error {problem}</p>", 400)
    account = consent.choose(world, request)
    asked = _full_names(request.param("scope"))
    if consent.human and not request.param("decision"):
        return html_answer(page(request, world, account, asked))
    if consent.error or request.param("decision") == "deny":
        return _redirect(request, {"error": consent.error or "access_denied"})
    granted = consent.granted(request, asked)
    code = world.grants.issue_code(
        account.email, granted, request.param("redirect_uri"), request.param("code_challenge")
    )
    return _redirect(request, {"iss": ISSUER, "code": code, "scope": " ".join(granted)})


def token(world: World, client: Client, request: Request) -> Answer:
    """POST of the token endpoint: exchanges a code or refreshes."""
    _authenticate(client, request)
    grant_type = request.form.get("grant_type", "")
    if grant_type == "authorization_code":
        return _exchange(world, request.form)
    if grant_type == "refresh_token":
        return _refresh(world, request.form)
    return oauth_error("unsupported_grant_type", f"Invalid grant_type: {grant_type}")


def revoke(world: World, request: Request) -> Answer:
    """POST of the revocation endpoint: kills every token of the account, or 400 for a dead one."""
    token = request.form.get("token") or request.param("token")
    grant = world.grants.access(token) or world.grants.refresh(token)
    if grant is None:
        return oauth_error("invalid_token", "Token expired or revoked")
    world.grants.revoke(grant.email)
    return json_answer({})


def userinfo(world: World, request: Request) -> Answer:
    """GET of the userinfo endpoint: who granted."""
    grant = world.grants.access(request.bearer)
    if grant is None:
        answer = oauth_error("invalid_request", "Invalid Credentials", 401)
        challenge = ("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/", error="invalid_token"')
        return replace(answer, headers=(challenge,))
    return json_answer(_claims(world.account(grant.email), grant.scopes) | {"picture": _picture(grant.email)})


def _request_problem(client: Client, request: Request) -> str:
    """Why Google would show an error page instead of redirecting, in its words; "" when all is well."""
    if request.param("client_id") != client.client_id:
        return "401: invalid_client. The OAuth client was not found."
    if not _is_loopback(request.param("redirect_uri")):
        return "400: redirect_uri_mismatch"
    if request.param("response_type") != "code" or not request.param("scope"):
        return "400: invalid_request. Required parameter is missing: response_type or scope"
    challenge, method = request.param("code_challenge"), request.param("code_challenge_method")
    if challenge and (method != "S256" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge)):
        return "400: invalid_request. Invalid code_challenge or code_challenge_method"
    return ""


def _is_loopback(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost") and not parts.fragment


def _full_names(scope: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ALIASES.get(name, name) for name in scope.split()))


def _redirect(request: Request, parameters: Mapping[str, str]) -> Answer:
    state = {"state": request.param("state")} if request.param("state") else {}
    uri = request.param("redirect_uri")
    location = f"{uri}{'&' if '?' in uri else '?'}{urlencode({**state, **parameters})}"
    return Answer(302, b"", HTML, (("Location", location),))


def _authenticate(client: Client, request: Request) -> None:
    client_id, secret = _credentials(request)
    if client_id != client.client_id:
        raise RefusedError(oauth_error("invalid_client", "The OAuth client was not found.", 401))
    if not secret:
        raise RefusedError(oauth_error("invalid_request", "client_secret is missing."))
    if not hmac.compare_digest(secret.encode(), client.client_secret.encode()):
        raise RefusedError(oauth_error("invalid_client", "The provided client secret is invalid.", 401))


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return request.form.get("client_id", ""), request.form.get("client_secret", "")
    client_id, _, secret = base64.b64decode(value).decode().partition(":")
    return unquote(client_id), unquote(secret)


def _exchange(world: World, form: Mapping[str, str]) -> Answer:
    code = world.grants.take_code(form.get("code", ""))
    if code is None:
        return oauth_error("invalid_grant", "Malformed auth code.")
    if code.redirect_uri != form.get("redirect_uri", ""):
        return oauth_error("redirect_uri_mismatch", "Bad Request")
    verifier = form.get("code_verifier", "")
    if code.challenge and not verifier:
        return oauth_error("invalid_grant", "Missing code verifier.")
    if code.challenge and _challenge(verifier) != code.challenge:
        return oauth_error("invalid_grant", "Invalid code verifier.")
    answer = _tokens(world, code.email, code.scopes)
    if world.grants.give_refresh_token:
        answer |= _refresh_token(world, code.email, code.scopes)
    return json_answer(answer)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _refresh(world: World, form: Mapping[str, str]) -> Answer:
    token = form.get("refresh_token", "")
    grant: Token | None = world.grants.refresh(token)
    if grant is None:
        return oauth_error("invalid_grant", "Token has been expired or revoked.")
    answer = _tokens(world, grant.email, grant.scopes)
    if world.grants.rotate_refresh_tokens:
        world.grants.retire(token)
        answer |= _refresh_token(world, grant.email, grant.scopes)
    return json_answer(answer)


def _tokens(world: World, email: str, scopes: tuple[str, ...]) -> dict[str, object]:
    answer: dict[str, object] = {
        "access_token": world.grants.issue_access(email, scopes),
        "expires_in": int(world.grants.access_token_lifetime.total_seconds()),
        "scope": " ".join(scopes),
        "token_type": "Bearer",
    }
    if "openid" in scopes and world.grants.give_id_token:
        answer["id_token"] = _id_token(world, email, scopes)
    return answer


def _refresh_token(world: World, email: str, scopes: tuple[str, ...]) -> dict[str, object]:
    answer: dict[str, object] = {"refresh_token": world.grants.issue_refresh(email, scopes)}
    if world.grants.refresh_token_lifetime:
        answer["refresh_token_expires_in"] = int(world.grants.refresh_token_lifetime.total_seconds()) - 1
    return answer


def _id_token(world: World, email: str, scopes: tuple[str, ...]) -> str:
    """A token with Google's claims and a signature that nobody can check."""
    issued = int(world.now().timestamp())
    claims = {"iss": ISSUER, **_claims(world.account(email), scopes), "iat": issued, "exp": issued + 3600}
    parts = (encode({"alg": "RS256", "typ": "JWT"}), encode(claims), b"not signed")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _claims(account: Account, scopes: tuple[str, ...]) -> dict[str, object]:
    claims: dict[str, object] = {"sub": account.sub}
    if _EMAIL_SCOPES & set(scopes):
        claims |= {"email": account.email, "email_verified": True}
    return claims


def _picture(email: str) -> str:
    digest = hashlib.sha256(email.encode(errors="surrogatepass")).hexdigest()
    return f"https://lh3.googleusercontent.com/a-/{digest[:32]}=s96-c"
