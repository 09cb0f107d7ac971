"""Waits on loopback for the browser to come back from Google, once (RFC 8252 section 7.3)."""

from __future__ import annotations

import errno
import queue
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from contacts_sync.errors import ConsentFailed, InvalidUsage
from contacts_sync.google.consent import Consent, is_answer_to, redirect_answer

PATH = "/oauth2callback"
THE_PORT_ITSELF = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}  # is the trouble: another one may do
PATIENCE_SECONDS = 5  # for all that one visitor says
LONGEST_REQUEST = 8192  # bytes, with its headers
MOST_VISITORS = 20  # at once
LOOK_EVERY_SECONDS = 0.05  # how soon the server notices that the wait is over
PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>contacts-sync</title><p>{}</p></html>"
DONE = "Thank you. You can close this window."
FAILED = "That didn't work. You can close this window; the terminal says more."
SAFE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Connection": "close",
}


class Listener:
    """A listener on 127.0.0.1 while its `with` block lasts; `port` 0 takes any free one.

    Raises `InvalidUsage` if the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno not in THE_PORT_ITSELF:
                raise
            why = error.strerror if isinstance(error, OSError) else "it is no port"
            raise InvalidUsage(f"port {port} can't be used: {why}", hint="choose another port") from None

    @property
    def redirect_uri(self) -> str:
        """Where Google sends the browser."""
        return f"http://{self._server.place}{PATH}"

    def wait(self, consent: Consent, timeout: timedelta) -> str:
        """The authorization code. Raises `ConsentFailed` when it is refused or nobody comes in time."""
        self._server.consent = consent
        serving = threading.Thread(target=self._server.serve_forever, args=(LOOK_EVERY_SECONDS,), daemon=True)
        try:
            serving.start()
            outcome = self._server.outcome.get(timeout=timeout.total_seconds())
        except queue.Empty:
            hint = "try again, or give more time with --timeout"
            raise ConsentFailed("nobody gave consent in time", hint=hint) from None
        finally:
            self._server.shutdown()
            serving.join()
        if isinstance(outcome, ConsentFailed):
            raise outcome
        return outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()


class _Server(ThreadingTCPServer):
    """A thread a visitor: a browser's idle spare connection must not keep the real one waiting. There are never
    many visitors, and none stays long.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.consent: Consent | None = None
        self.outcome: queue.SimpleQueue[str | ConsentFailed] = queue.SimpleQueue()  # only the first one is taken
        self.place = f"127.0.0.1:{self.server_address[1]}"
        self._visitors: dict[socket.socket, float] = {}  # and when each has to go

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  (the base class's words)
        """Called by the base class before anything is read: False hangs up."""
        if len(self._visitors) >= MOST_VISITORS:
            return False
        self._visitors[request] = time.monotonic() + PATIENCE_SECONDS
        return True

    def service_actions(self) -> None:
        """Called by the base class all the time: who has had time enough is hung up on."""
        for visitor, until in list(self._visitors.items()):
            if time.monotonic() > until:
                with suppress(OSError):  # it has gone by itself
                    visitor.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Called by the base class when a visitor leaves."""
        self._visitors.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the base class's words)
        """A visitor that hangs up or talks nonsense is no news. What the system refuses meets the next one, too."""
        error = sys.exception()
        if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
            self.outcome.put(ConsentFailed(f"nobody can be listened to: {error.strerror}", hint="try again"))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS
    raw_requestline: bytes

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query)
        query, consent = dict(pairs), self.server.consent
        is_ours = self._is_meant_for_us(parts.path) and _is_navigation(self.headers) and len(query) == len(pairs)
        if consent is None or not is_ours or not _is_outcome(consent, query):
            self._answer(404, FAILED)
            return
        outcome = _outcome(consent, query)
        self._answer(200 if isinstance(outcome, str) else 400, DONE if isinstance(outcome, str) else FAILED)
        self.server.outcome.put(outcome)

    def _is_meant_for_us(self, path: str) -> bool:
        """The host is checked against pages that give their own name our address."""
        return path == PATH and self.headers.get("Host") == self.server.place

    def parse_request(self) -> bool:
        """Called by the base class for the head of a request; False turns the visitor away."""
        if not super().parse_request():
            return False
        headers = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers.items())
        if len(self.raw_requestline) + headers <= LONGEST_REQUEST:
            return True
        self.send_error(431)
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002  (the base class's page repeats them)
        """Another method, or nonsense: turned away with the same plain page."""
        self.close_connection = True
        self._answer(code, FAILED)

    def _answer(self, status: int, text: str) -> None:
        body = PAGE.format(text).encode()
        self.send_response(status)
        for name, value in {**SAFE_HEADERS, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "contacts-sync"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
        """Nothing: the address has the code in it."""


def _is_navigation(headers: Message) -> bool:
    """False for what a page elsewhere loads or fetches, and for a look ahead: somebody's own click or a redirect
    brings no Origin, and browsers that say how they come (Sec-Fetch-Mode) say `navigate`.
    """
    purpose = f"{headers.get('Sec-Purpose', '')} {headers.get('Purpose', '')}"
    navigates = headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    return (
        navigates
        and headers.get("Sec-Fetch-Dest", "document") == "document"
        and not ("prefetch" in purpose or "Origin" in headers)
    )


def _is_outcome(consent: Consent, query: dict[str, str]) -> bool:
    """Only the browser that comes from our consent ends the wait."""
    return is_answer_to(consent, query) and ("code" in query or "error" in query)


def _outcome(consent: Consent, query: dict[str, str]) -> str | ConsentFailed:
    try:
        return redirect_answer(consent, query)
    except ConsentFailed as error:
        return error
