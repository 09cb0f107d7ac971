"""Waits on loopback for the browser to come back from Google, once (RFC 8252 section 7.3)."""

from __future__ import annotations

import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from contacts_sync.errors import ConsentFailed, InvalidUsage
from contacts_sync.google.oauth import Consent, redirect_answer

PATH = "/oauth2callback"
PATIENCE_SECONDS = 5  # for one visitor's request
MOST_VISITS = 100
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
        except OSError as error:
            raise InvalidUsage(f"port {port} can't be used: {error.strerror}", hint="choose another port") from None

    @property
    def redirect_uri(self) -> str:
        """Where Google sends the browser."""
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def wait(self, consent: Consent, timeout: timedelta) -> str:
        """The authorization code. Raises `ConsentFailed` when it is refused or nobody comes in time."""
        self._server.consent = consent
        until = time.monotonic() + timeout.total_seconds()
        for _ in range(MOST_VISITS):
            self._server.timeout = until - time.monotonic()
            if self._server.timeout <= 0:
                break
            self._server.handle_request()
            if self._server.error is not None:
                raise self._server.error
            if self._server.code is not None:
                return self._server.code
        raise ConsentFailed("nobody gave consent in time", hint="try again, or give more time with --timeout")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()


class _Server(HTTPServer):
    consent: Consent | None = None
    code: str | None = None
    error: ConsentFailed | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor that hangs up or talks nonsense is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if not self._is_meant_for_us(parts.path, query):
            self._answer(404, FAILED)
            return
        try:
            self.server.code = redirect_answer(self.server.consent, query)  # type: ignore[arg-type]  # set by `wait` before anybody is let in
        except ConsentFailed as error:
            self.server.error = error
            self._answer(400, FAILED)
        else:
            self._answer(200, DONE)

    def _is_meant_for_us(self, path: str, query: dict[str, str]) -> bool:
        """Only the browser that comes from our consent: anything else is turned away and the wait goes on."""
        consent = self.server.consent
        host = f"127.0.0.1:{self.server.server_port}"
        return (
            path == PATH
            and self.headers.get("Host") == host
            and consent is not None
            and query.get("state") == consent.state
            and ("code" in query or "error" in query)
        )

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
