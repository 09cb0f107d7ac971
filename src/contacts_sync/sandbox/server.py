"""The simulated Google on a loopback port: its endpoints, its trouble, its record of requests."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from contacts_sync.sandbox import assertions, oauth, people
from contacts_sync.sandbox.answers import Answer, RefusedError, Request, html_answer
from contacts_sync.sandbox.assertions import ServiceAccount
from contacts_sync.sandbox.consent import Consent
from contacts_sync.sandbox.faults import Fault
from contacts_sync.sandbox.rules import Circumstances, Faults
from contacts_sync.sandbox.wire import Server
from contacts_sync.sandbox.world import World

AUTHORIZATION = "/o/oauth2/v2/auth"
TOKEN = "/token"  # noqa: S105  (a path, no secret)
REVOCATION = "/revoke"
USERINFO = "/v1/userinfo"
CONNECTIONS = "/v1/people/me/connections"
GROUPS = "/v1/contactGroups"
_PLACES = {
    ("GET", AUTHORIZATION): "authorization",
    ("POST", TOKEN): "token",
    ("POST", REVOCATION): "revoke",
    ("GET", USERINFO): "userinfo",
    ("GET", CONNECTIONS): "people",
    ("GET", GROUPS): "groups",
}


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that arrived. `where` is a fault's place, "person" for a single person, or "" for an unknown
    path; of a repeated query parameter the last value is kept.
    """

    method: str
    path: str
    query: Mapping[str, str]
    at: datetime
    where: str = ""
    account: str | None = None


class Sandbox:
    """A simulated Google over real HTTP on 127.0.0.1, while its `with` block lasts."""

    def __init__(self, port: int = 0) -> None:
        self.world = World()
        self.faults = Faults()
        self.consent = Consent()
        self.requests: list[RecordedRequest] = []
        self.service_accounts: dict[str, ServiceAccount] = {}
        self.client_id = "000000000000-sandbox.apps.googleusercontent.com"
        self.client_secret = f"GOCSPX-{secrets.token_urlsafe(21)}"
        self._port = port
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._server = Server(self._port, self.meet, self.answer)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        if self._server:
            self._server.stop()

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT"""
        if self._server is None:
            raise RuntimeError("the sandbox serves only inside its `with` block")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoints(self) -> dict[str, str]:
        """The URLs for a configuration: authorization, token, revocation, userinfo, people."""
        paths = {
            "authorization": AUTHORIZATION,
            "token": TOKEN,
            "revocation": REVOCATION,
            "userinfo": USERINFO,
        }
        return {name: self.url + path for name, path in paths.items()} | {"people": self.url}

    def trust_service_account(
        self, email: str, *, modulus: int, exponent: int, scopes: Collection[str] = people.SCOPES
    ) -> None:
        """Domain-wide delegation: who signs as `email` with this RSA key gets `scopes` for every account."""
        self.service_accounts[email] = ServiceAccount(email, modulus, exponent, tuple(scopes))

    def count(self, where: str, *, account: str | None = None) -> int:
        """How many requests arrived at a place, of one account or of all."""
        found = [request for request in self.requests if request.where == where]
        return sum(account in (None, request.account) for request in found)

    def meet(self, request: Request) -> Fault:
        """Writes the request down and says what trouble it meets: mostly none."""
        where, owner = _place(request), _owner(self, request)
        query = {name: values[-1] for name, values in request.query.items()}
        self.requests.append(RecordedRequest(request.method, request.path, query, self.world.now(), where, owner))
        page, carried = people.page_number(request), bool(request.param("syncToken"))
        found = self.faults.strike(Circumstances(where, owner, page, carried))
        return found or Fault()

    def answer(self, request: Request) -> Answer:
        """What Google would answer when nothing is wrong."""
        try:
            return _route(self, request)
        except RefusedError as refused:
            return refused.answer


def _place(request: Request) -> str:
    place = _PLACES.get((request.method, request.path), "")
    return "person" if not place and request.path.startswith("/v1/people/") else place


def _owner(sandbox: Sandbox, request: Request) -> str | None:
    if request.path == AUTHORIZATION and sandbox.world.accounts():
        return sandbox.consent.choose(sandbox.world, request).email
    form = request.form
    secret = request.bearer or form.get("refresh_token") or form.get("code") or form.get("token") or ""
    return sandbox.world.grants.owner(secret)


def _route(sandbox: Sandbox, request: Request) -> Answer:
    world, client = sandbox.world, oauth.Client(sandbox.client_id, sandbox.client_secret)
    routes: dict[str, Callable[[], Answer]] = {
        "authorization": lambda: oauth.authorize(world, client, sandbox.consent, request),
        "token": lambda: _token(sandbox, client, request),
        "revoke": lambda: oauth.revoke(world, request),
        "userinfo": lambda: oauth.userinfo(world, request),
        "people": lambda: people.list_connections(world, request),
        "groups": lambda: people.list_groups(world, request),
        "person": lambda: people.get_person(world, request),
        "": lambda: html_answer("<title>Error 404 (Not Found)!!1</title>", 404),
    }
    return routes[_place(request)]()


def _token(sandbox: Sandbox, client: oauth.Client, request: Request) -> Answer:
    if request.form.get("grant_type") == assertions.GRANT_TYPE:
        return assertions.exchange(sandbox.world, sandbox.service_accounts, request.form)
    return oauth.token(sandbox.world, client, request)
