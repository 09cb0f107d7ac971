"""The simulated Google on a loopback port: routes requests, orders trouble, frames answers."""

from __future__ import annotations

import contextlib
import gzip
import json
import secrets
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from contacts_sync.sandbox import oauth, people
from contacts_sync.sandbox.answers import Answer, RefusedError, Request, encode, html_answer
from contacts_sync.sandbox.consent import Consent
from contacts_sync.sandbox.faults import Circumstances, Delivery, Fault, Faults
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
_CLOSE_LIMIT_SECONDS = 5.0


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
        self.client_id = "000000000000-sandbox.apps.googleusercontent.com"
        self.client_secret = f"GOCSPX-{secrets.token_urlsafe(21)}"
        self.closing = threading.Event()
        self._port = port
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self, self._port)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
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

    def count(self, where: str, *, account: str | None = None) -> int:
        """How many requests arrived at a place, of one account or of all."""
        found = [request for request in self.requests if request.where == where]
        return sum(account in (None, request.account) for request in found)

    def meet(self, request: Request) -> Fault:
        """Writes the request down and says what trouble it meets: mostly none."""
        where, owner = _place(request), _owner(self, request)
        query = {name: values[-1] for name, values in request.query.items()}
        self.requests.append(
            RecordedRequest(request.method, request.path, query, self.world.now(), where, owner)
        )
        number = people.page_number(request) if where == "people" else 1
        found = self.faults.strike(Circumstances(where, owner, number, bool(request.param("syncToken"))))
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
        "token": lambda: oauth.token(world, client, request),
        "revoke": lambda: oauth.revoke(world, request),
        "userinfo": lambda: oauth.userinfo(world, request),
        "people": lambda: people.list_connections(world, request),
        "groups": lambda: people.list_groups(world, request),
        "person": lambda: people.get_person(world, request),
        "": lambda: html_answer("<title>Error 404 (Not Found)!!1</title>", 404),
    }
    return routes[_place(request)]()


class _Server(ThreadingHTTPServer):
    """Keeps count of its connections, so that stopping leaves neither threads nor sockets behind."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def stop(self) -> None:
        """Stops listening, hangs up on everybody and waits for their threads."""
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the peer hung up first
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _CLOSE_LIMIT_SECONDS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is part of the rehearsal; the base class prints anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
        self._serve({name: values[-1] for name, values in form.items()})

    def version_string(self) -> str:
        return "ESF"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
        """Nothing: `Sandbox.requests` is the log."""

    def _serve(self, form: Mapping[str, str]) -> None:
        sandbox = cast(_Server, self.server).sandbox
        request = self._request(form)
        fault = sandbox.meet(request)
        self._wait(sandbox, fault)
        if fault.delivery is Delivery.REFUSED:
            return self._reset()
        answer = fault.answer or sandbox.answer(request)
        return self._deliver(_edited(answer, fault), fault)

    def _request(self, form: Mapping[str, str]) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True), form, headers)

    def _wait(self, sandbox: Sandbox, fault: Fault) -> None:
        if fault.gate:
            fault.gate.arrived.set()
            fault.gate.released.wait()
        if fault.delay:
            sandbox.closing.wait(fault.delay.total_seconds())

    def _deliver(self, answer: Answer, fault: Fault) -> None:
        if fault.delivery is Delivery.LOST:
            return self._reset()
        body, encoding = self._encoded(answer, fault)
        self._head(answer, encoding, len(body))
        if fault.delivery is Delivery.TRUNCATED:
            self.close_connection = True
            body = body[: len(body) // 2]
        if fault.delivery is Delivery.DRIPPED:
            return self._drip(body, fault.pause.total_seconds())
        self.wfile.write(body)
        return None

    def _encoded(self, answer: Answer, fault: Fault) -> tuple[bytes, str]:
        """Google compresses only for clients that accept gzip and have the word in their User-Agent."""
        accepts = all("gzip" in self.headers.get(name, "") for name in ("Accept-Encoding", "User-Agent"))
        labelled = any(name.lower() == "content-encoding" for name, _ in answer.headers)
        if fault.delivery is Delivery.GZIP_CUT:
            return gzip.compress(answer.body, 1)[:-8], "gzip"
        if not accepts or labelled or not answer.body:
            return answer.body, ""
        return gzip.compress(answer.body, 1), "gzip"

    def _head(self, answer: Answer, encoding: str, length: int) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Cache-Control", "private")
        self.send_header("Vary", "Origin, X-Origin, Referer, Accept-Encoding")
        for name, value in (*answer.headers, *([("Content-Encoding", encoding)] if encoding else [])):
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _drip(self, body: bytes, pause: float) -> None:
        closing = cast(_Server, self.server).sandbox.closing
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            if closing.wait(pause):
                break

    def _reset(self) -> None:
        """Hangs up with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _edited(answer: Answer, fault: Fault) -> Answer:
    if fault.edit is None:
        return answer
    value = json.loads(answer.body)
    fault.edit(value)
    return replace(answer, body=encode(value))
