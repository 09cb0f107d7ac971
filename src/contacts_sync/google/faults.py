"""An HTTP answer or a transport exception -> the one error of ours that says what to do. Pure.

Statuses, reasons and texts as Google is known to send them; bodies are never echoed, since they can repeat
request parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from contacts_sync.errors import (
    AccessTokenRejected,
    GrantRejected,
    OperatorTrouble,
    PageTokenRejected,
    PassingTrouble,
    QuotaExceeded,
    RequestRejected,
    ScopeMissing,
    SyncError,
    SyncTokenExpired,
)

SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_PATIENCE = timedelta(minutes=1)  # a longer Retry-After defers the run instead of holding a worker
RATE_LIMITS = {
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "sharingRateLimitExceeded",
    "dailyLimitExceeded",
    "quotaExceeded",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
}
SCOPE_MISSING = {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"}
API_DISABLED = {"SERVICE_DISABLED", "accessNotConfigured"}
CLIENT_ERRORS = {
    "invalid_client",
    "unauthorized_client",
    "deleted_client",
    "disabled_client",
    "org_internal",
    "redirect_uri_mismatch",
}
URI_TOO_LONG = 414
DEAD_GRANTS = {"invalid_grant", "access_denied", "admin_policy_enforced", "account_deleted", "invalid_account"}
PASSING_ERRORS = {"internal_failure", "server_error", "temporarily_unavailable"}
ENABLE_API = "enable the People API for your project in Google's console: APIs & Services, Library, People API"
CHECK_CLIENT = (
    "check google.client_secrets_file: the OAuth client is wrong, deleted, disabled or not of the type Desktop"
)
CHECK_CERTIFICATE = "check google.endpoints, google.endpoints.ca_file, and this host's clock"
CONSENT_AGAIN = "the user must consent again: contacts-sync connect USER"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a JSON error body says, in Google's present and former shapes."""

    status: str = ""
    message: str = ""
    reasons: frozenset[str] = frozenset()
    link: str = ""


def judge(  # noqa: PLR0911  (a table, a row a line)
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    carried_sync_token: bool,
    now: datetime,
    carried_page_token: bool = False,
) -> SyncError:
    """What an answer of the People API other than 200 means.

    A cause that Google names comes before a long Retry-After, and that before what the status alone says.
    """
    wait = retry_after(headers, now)
    said = _refusal(body)
    if status == 429 or (status == 403 and said.reasons & RATE_LIMITS):
        return QuotaExceeded(f"Google's quota is used up (HTTP {status})", retry_after=wait)
    if carried_sync_token and _rejects_sync_token(status, said):
        return SyncTokenExpired("Google no longer takes the sync token")
    if status == 403 and (named := _forbidden(said)) is not None:
        return named
    if _is_passing(status, wait):
        return _passing(f"Google is in trouble (HTTP {status})", wait)
    if carried_page_token and (status == URI_TOO_LONG or (status == 400 and _blames_an_argument(said))):
        return PageTokenRejected("Google no longer takes the page token of this listing")
    if status == 401:
        return AccessTokenRejected("Google refuses the access token (HTTP 401)")
    return _rejected(status, said)


def _is_passing(status: int, wait: timedelta | None) -> bool:
    """Success without the answer asked for is a gateway's doing; who asks to wait for long means: come again."""
    return status < 300 or status == 408 or status >= 500 or (wait is not None and wait > LONGEST_PATIENCE)


def _passing(message: str, wait: timedelta | None) -> PassingTrouble:
    kind = QuotaExceeded if wait is not None and wait > LONGEST_PATIENCE else PassingTrouble
    return kind(message, retry_after=wait)


def _rejects_sync_token(status: int, said: _Refusal) -> bool:
    """400 in all its forms, 410, which only the documentation knows, and 414: it can't even be sent."""
    if status in (410, URI_TOO_LONG) or (400 <= status < 500 and "EXPIRED_SYNC_TOKEN" in said.reasons):
        return True
    return status == 400 and ("sync token" in said.message.lower() or _blames_an_argument(said))


def _blames_an_argument(said: _Refusal) -> bool:
    """Google doesn't say which, unless it is the field mask."""
    return said.status == "INVALID_ARGUMENT" and "personfields" not in said.message.lower()


def _forbidden(said: _Refusal) -> SyncError | None:
    if said.reasons & SCOPE_MISSING:
        return ScopeMissing("the permission to read contacts was not granted", hint=CONSENT_AGAIN)
    if said.reasons & API_DISABLED:
        hint = f"{ENABLE_API} ({said.link})" if said.link else ENABLE_API
        return OperatorTrouble("the People API is not enabled in your Google project", hint=hint)
    return None


def _rejected(status: int, said: _Refusal) -> SyncError:
    if status < 400:
        return RequestRejected(f"Google's address answers with a redirect (HTTP {status}), which is not followed")
    if status == 404 and not said.status:
        return OperatorTrouble(
            "no People API at the configured address (HTTP 404)", hint="check google.endpoints.people"
        )
    return RequestRejected(f"Google refuses the request (HTTP {status} {said.status})".replace(" )", ")"))


def judge_token_answer(  # noqa: PLR0911  (a table, a row a line)
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> SyncError:
    """What an answer of the token or revocation endpoint other than 200 means (RFC 6749 section 5.2)."""
    wait = retry_after(headers, now)
    error, description = _oauth_error(body)
    if status == 429 or error in RATE_LIMITS:
        return QuotaExceeded(f"Google's token endpoint is over its quota (HTTP {status})", retry_after=wait)
    if status >= 500 or error in PASSING_ERRORS:
        return _passing(f"Google's token endpoint is in trouble (HTTP {status})", wait)
    if error in CLIENT_ERRORS:
        return OperatorTrouble(f"Google refuses the OAuth client: {error}", hint=CHECK_CLIENT)
    if error in DEAD_GRANTS:
        return GrantRejected(_dead(error, description), hint=CONSENT_AGAIN)
    if _is_passing(status, wait):
        return _passing(f"Google's token endpoint asks to come again (HTTP {status})", wait)
    if 300 <= status < 400 or status == 404:
        return OperatorTrouble(
            f"no token endpoint at the configured address (HTTP {status})",
            hint="check google.endpoints.token",
        )
    if not error:
        return PassingTrouble(f"Google's token endpoint answers without an OAuth error (HTTP {status})")
    return RequestRejected(f"Google's token endpoint refuses the request: {_word(error)}")


def _dead(error: str, description: str) -> str:
    known = re.fullmatch(r"[A-Za-z0-9 .,()_'-]{1,120}", description)
    return f"the grant is no longer valid: {error}" + (f" ({description})" if known else "")


def _word(text: str) -> str:
    return text if re.fullmatch(r"[a-z_]{1,40}", text) else "unknown error"


def judge_transport(exception: Exception) -> SyncError:  # noqa: PLR0911  (a table, a row a line)
    """What a failed exchange means. Exception texts carry URLs, so only their types are told."""
    causes = _causes(exception)
    names = {type(cause).__name__ for cause in causes}
    if names & {"SSLCertVerificationError", "CertificateError"}:
        return OperatorTrouble(f"Google's certificate is not trusted{_distrust(causes)}", hint=CHECK_CERTIFICATE)
    if "ProxyError" in names and "407" in str(exception):
        return OperatorTrouble("the configured proxy asks for credentials", hint="check google.endpoints.proxy")
    if "ProxyError" in names:
        return PassingTrouble("the configured proxy refuses or fails", hint="check google.endpoints.proxy")
    if names & {"NameResolutionError", "gaierror"}:
        return PassingTrouble("Google's name can't be resolved")
    if names & {"ConnectTimeout", "ConnectTimeoutError"}:
        return PassingTrouble("Google can't be reached in time")
    if names & {"ReadTimeout", "ReadTimeoutError"}:
        return PassingTrouble("Google didn't answer in time")
    return PassingTrouble(f"the connection to Google failed ({type(exception).__name__})")


def _distrust(causes: Iterable[BaseException]) -> str:
    """Why, in OpenSSL's fixed words, which name the host at most."""
    said = next((text for cause in causes if (text := getattr(cause, "verify_message", None))), None)
    return f" ({said})" if said else ""


def _causes(exception: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    todo = [exception]
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long Google asks to wait: seconds or an HTTP date (RFC 9110 section 10.2.3), held within 1 s and 1 h."""
    value = next((text.strip() for name, text in headers.items() if name.lower() == "retry-after"), None)
    if value is None:
        return None
    wait = _seconds(value)
    if wait is None:
        wait = _until(value, now)
    return None if wait is None else min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def _seconds(value: str) -> timedelta | None:
    found = re.fullmatch(r"0*([0-9]{1,9})[0-9]*", value)  # more digits are too long a wait anyway
    return timedelta(seconds=int(found[1])) if found else None


def _until(value: str, now: datetime) -> timedelta | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return at - now if at.tzinfo is not None else None


def _refusal(body: bytes) -> _Refusal:
    error = _json_object(body).get("error")
    if not isinstance(error, dict):
        return _Refusal()
    details = [one for one in _list(error, "details") + _list(error, "errors") if isinstance(one, dict)]
    return _Refusal(
        status=_capitals(_text(error, "status")),
        message=_text(error, "message"),
        reasons=frozenset(_text(one, "reason") for one in details) | {_text(error, "status")},
        link=next((link for one in details if (link := _activation(one))), ""),
    )


def _list(holder: dict[str, object], name: str) -> list[object]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _text(holder: dict[str, object], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _activation(detail: dict[str, object]) -> str:
    metadata = detail.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    link = _text(metadata, "activationUrl")
    return link if re.fullmatch(r"https://console\.([a-z]+\.)?google\.com/[\w./?=&%-]*", link) else ""


def _capitals(status: str) -> str:
    return status if re.fullmatch(r"[A-Z_]{1,40}", status) else ""


def _oauth_error(body: bytes) -> tuple[str, str]:
    answer = _json_object(body)
    return _text(answer, "error"), _text(answer, "error_description")


def _json_object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
