"""What listens at the other end: a real HTTP server on loopback that keeps what it is sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    path: str
    host: str
    body: str
    status: int


@dataclass
class Receiver:
    """`answers` are the statuses of the next answers; then all are `status`."""

    port: int
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    status: int = 200

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/ping/s3cr3t-uuid"

    @property
    def paths(self) -> list[str]:
        return [one.path.removeprefix("/ping/s3cr3t-uuid") for one in self.received]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A peer that hangs up is no error."""


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """With a context, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = receiver.answers.pop(0) if receiver.answers else receiver.status
            receiver.received.append(Received(self.path, self.headers["Host"], body, status))
            self.send_response(status)
            self.send_header("Location", f"http://localhost:{receiver.port}/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
