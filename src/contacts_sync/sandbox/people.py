"""The People API v1 as far as a read-only copy needs it: connections, contact groups, single people.

Parameters, limits and errors are those of Google's reference (people.connections.list, contactGroups.list).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from contacts_sync.sandbox import answers
from contacts_sync.sandbox.account import Account, Listing
from contacts_sync.sandbox.answers import Answer, RefusedError, Request, encode, json_answer
from contacts_sync.sandbox.opaque import seal, unseal
from contacts_sync.sandbox.persons import PERSON_FIELDS, View, as_json
from contacts_sync.sandbox.world import World

SCOPES = ("https://www.googleapis.com/auth/contacts", "https://www.googleapis.com/auth/contacts.readonly")
SYNC_TOKEN_LIFETIME = timedelta(days=7)  # after the full sync, however often the token was renewed since
_SOURCES = {"PROFILE", "CONTACT", "DOMAIN_CONTACT", "OTHER_CONTACT"}
_SORT_ORDERS = {
    "LAST_MODIFIED_ASCENDING",
    "LAST_MODIFIED_DESCENDING",
    "FIRST_NAME_ASCENDING",
    "LAST_NAME_ASCENDING",
}
_GLOBAL = {"alt", "key", "prettyPrint", "quotaUser", "$.xgafv", "access_token", "oauth_token"}
_CONNECTIONS = {
    "personFields",
    "sources",
    "pageSize",
    "pageToken",
    "syncToken",
    "requestSyncToken",
    "sortOrder",
}
_GROUPS = {"groupFields", "pageSize", "pageToken", "syncToken"}
_GROUP_FIELDS = {"clientData", "groupType", "memberCount", "metadata", "name"}


def list_connections(world: World, request: Request) -> Answer:
    """GET v1/people/me/connections."""
    account = _authorised(world, request, "ListConnections")
    _known_parameters(request, _CONNECTIONS)
    view, size, shape = _view(request), _page_size(request, default=100), _shape(request)
    listing_id, listing, number = _listing(account, request, shape)
    rows = listing.entries[(number - 1) * size : number * size]
    since = _since(request)
    parts = [b'"connections":[' + b",".join(as_json(row, view, since) for row in rows) + b"]"] if rows else []
    parts += _token_parts(account, request, listing_id, listing, more=number * size < len(listing.entries))
    parts += _totals(len(listing.entries))
    return Answer(body=b"{" + b",".join(parts) + b"}")


def list_groups(world: World, request: Request) -> Answer:
    """GET v1/contactGroups: a sync token comes with every answer, deleted labels only when one was sent."""
    account = _authorised(world, request, "ListContactGroups")
    _known_parameters(request, _GROUPS)
    fields = _fields(request, "groupFields", _GROUP_FIELDS) or set(_GROUP_FIELDS)
    size, number = _page_size(request, default=30), _group_page(request)
    seq, groups = account.groups(_group_since(account, request))
    rows = groups[(number - 1) * size : number * size]
    answer: dict[str, object] = {
        "contactGroups": [_masked(row, fields) for row in rows],
        "totalItems": len(groups),
    }
    if number * size < len(groups):
        answer["nextPageToken"] = seal("groups page", _group_call(request), number + 1)
    answer["nextSyncToken"] = seal("groups", account.sub, seq, account.sync_epoch)
    return json_answer({name: value for name, value in answer.items() if value})


def get_person(world: World, request: Request) -> Answer:
    """GET v1/people/{id}, and v1/people/me for the account's own profile."""
    account = _authorised(world, request, "GetPerson")
    _known_parameters(request, {"personFields", "sources"})
    view, name = _view(request), request.path.removeprefix("/v1/")
    if name in ("people/me", f"people/{account.sub}"):
        return json_answer(_profile(account, view))
    contact = account.person(name)
    return Answer(body=as_json(contact, view)) if contact else answers.not_found()


def page_number(request: Request) -> int:
    """Which page of a listing this request asks for, from 1; a token that isn't ours counts as 1."""
    parts = unseal(request.param("pageToken"))
    return int(parts[2]) if parts and parts[0] in ("page", "groups page") else 1


def _authorised(world: World, request: Request, method: str) -> Account:
    grant = world.grants.access(request.bearer)
    if grant is None:
        raise RefusedError(answers.unauthenticated())
    if not set(grant.scopes) & set(SCOPES):
        raise RefusedError(answers.scope_insufficient(method))
    return world.account(grant.email)


def _known_parameters(request: Request, names: set[str]) -> None:
    for name in request.query.keys() - names - _GLOBAL:
        text = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
        raise RefusedError(answers.invalid_argument(text))


def _view(request: Request) -> View:
    fields = _fields(request, "personFields", set(PERSON_FIELDS))
    if not fields:
        raise RefusedError(answers.invalid_argument("personFields mask is required. Please specify valid paths."))
    sources = {source.removeprefix("READ_SOURCE_TYPE_") for source in request.query.get("sources", [])}
    if not sources <= _SOURCES or request.param("sortOrder") not in _SORT_ORDERS | {""}:
        raise RefusedError(answers.invalid_argument())
    return View(frozenset(fields), profiles=not sources or "PROFILE" in sources)


def _fields(request: Request, name: str, valid: set[str]) -> set[str]:
    fields = {path.strip() for path in request.param(name).split(",")} - {""}
    for path in sorted(fields - valid):
        raise RefusedError(answers.invalid_argument(f"Invalid {name} mask path: '{path}'."))
    return fields


def _page_size(request: Request, *, default: int) -> int:
    try:
        size = int(request.param("pageSize") or 0)
    except ValueError:
        raise RefusedError(answers.invalid_argument("Invalid value at 'page_size' (TYPE_INT32)")) from None
    if not 0 <= size <= 1000:
        raise RefusedError(answers.invalid_argument())
    return size or default


def _shape(request: Request) -> str:
    """What must stay the same within a listing, and from a full listing to its incremental ones."""
    fields = sorted(request.param("personFields").split(","))
    sources = sorted(request.query.get("sources", []))
    return _digest(*fields, *sources, request.param("pageSize"), request.param("sortOrder"))


def _digest(*values: str) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def _listing(account: Account, request: Request, shape: str) -> tuple[str, Listing, int]:
    """The listing that this page belongs to, its id and the page's number: a new one without a page token."""
    full_at = _full_sync_of(account, request, shape)
    token = request.param("pageToken")
    if not token:
        seq, entries = account.snapshot(_since(request))
        listing = Listing(_call(request, shape), seq, full_at or account.now(), entries)
        return account.keep_listing(listing), listing, 1
    parts = unseal(token)
    known = account.listing(str(parts[1])) if parts and parts[0] == "page" else None
    if known is None or known.shape != _call(request, shape):
        raise RefusedError(answers.invalid_argument())
    return str(parts and parts[1]), known, page_number(request)


def _call(request: Request, shape: str) -> str:
    return " ".join((shape, request.param("syncToken"), request.param("requestSyncToken")))


def _full_sync_of(account: Account, request: Request, shape: str) -> datetime | None:
    """When the full sync was that the request's sync token descends from; refuses a bad or expired token."""
    token = request.param("syncToken")
    if not token:
        return None
    parts = unseal(token)
    if not parts or parts[:2] != ["people", account.sub] or parts[5] != shape:
        raise RefusedError(answers.invalid_argument())
    full_at = datetime.fromisoformat(str(parts[4]))
    if parts[3] != account.sync_epoch or account.now() - full_at >= SYNC_TOKEN_LIFETIME:
        raise RefusedError(answers.expired_sync_token())
    return full_at


def _since(request: Request) -> int | None:
    parts = unseal(request.param("syncToken")) if request.param("syncToken") else None
    return int(parts[2]) if parts else None


def _token_parts(account: Account, request: Request, listing_id: str, listing: Listing, *, more: bool) -> list[bytes]:
    if more:
        return [b'"nextPageToken":' + encode(seal("page", listing_id, page_number(request) + 1))]
    if request.param("requestSyncToken").lower() != "true":
        return []
    meaning = (listing.seq, account.sync_epoch, listing.full_at.isoformat(), listing.shape.split(" ")[0])
    return [b'"nextSyncToken":' + encode(seal("people", account.sub, *meaning))]


def _totals(count: int) -> list[bytes]:
    return [b'"totalPeople":%d,"totalItems":%d' % (count, count)] if count else []


def _group_page(request: Request) -> int:
    token = request.param("pageToken")
    parts = unseal(token) if token else ["groups page", _group_call(request), 1]
    if not parts or parts[:2] != ["groups page", _group_call(request)]:
        raise RefusedError(answers.invalid_argument())
    return page_number(request)


def _group_call(request: Request) -> str:
    return _digest(*(request.param(name) for name in ("pageSize", "groupFields", "syncToken")))


def _masked(group: dict[str, object], fields: set[str]) -> dict[str, object]:
    always = {"resourceName", "etag"}
    names = always | fields | ({"formattedName"} if "name" in fields else set())
    return {name: value for name, value in group.items() if name in names}


def _group_since(account: Account, request: Request) -> int | None:
    token = request.param("syncToken")
    if not token:
        return None
    parts = unseal(token)
    if not parts or parts[:2] != ["groups", account.sub]:
        raise RefusedError(answers.invalid_argument())
    if parts[3] != account.sync_epoch:
        raise RefusedError(answers.expired_sync_token())
    return int(parts[2])


def _profile(account: Account, view: View) -> dict[str, object]:
    source = {"type": "PROFILE", "id": account.sub}
    metadata = {"primary": True, "source": source, "sourcePrimary": True}
    person: dict[str, object] = {"resourceName": f"people/{account.sub}", "etag": f"%{account.sub}"}
    if "metadata" in view.fields:
        person["metadata"] = {"sources": [source], "objectType": "PERSON"}
    if "emailAddresses" in view.fields:
        person["emailAddresses"] = [{"metadata": metadata | {"verified": True}, "value": account.email}]
    return person
