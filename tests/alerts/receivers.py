"""Who gets the messages: a webhook and a mail server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """Takes JSON; `status` is what it answers, `got` what it has taken with a 200."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.requests = 0

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]


@contextmanager
def webhook(secret: str = "hook-secret-1234") -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests += 1
            if hook.status == 200:
                hook.got.append(json.loads(body))
            self.send_response(hook.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(f"json://127.0.0.1:{server.server_port}/{secret}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
