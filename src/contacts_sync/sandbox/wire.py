"""HTTP as it goes over the line: connections, framing, compression, and trouble on the way."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from contacts_sync.sandbox.answers import Answer, Request, encode
from contacts_sync.sandbox.faults import Delivery, Fault, Stage

Meet = Callable[[Request], Fault]  # what trouble a request meets
Reply = Callable[[Request], Answer]  # what Google would answer
_CLOSE_LIMIT_SECONDS = 5.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time; closing then sends RST


class Server(ThreadingHTTPServer):
    """Keeps count of its connections, so that stopping leaves neither threads nor sockets behind."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, meet: Meet, answer: Reply) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.meet = meet
        self.answer = answer
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def stop(self) -> None:
        """Stops listening, hangs up on everybody and waits for their threads."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the peer hung up first
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _CLOSE_LIMIT_SECONDS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The life of a connection, in its own thread."""
        with self._changed:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def shutdown_request(self, request: Any) -> None:
        """The base class says goodbye (FIN) before it closes; where no time to linger is set, RST does."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is part of the rehearsal; the base class prints anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, lets the server answer, delivers as the fault says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Called by the base class."""
        self._serve({})

    def do_POST(self) -> None:
        """Called by the base class; all of the POSTs here are forms."""
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(length).decode(errors="replace"), keep_blank_values=True)
        self._serve({name: values[-1] for name, values in form.items()})

    def version_string(self) -> str:
        """The Server header of Google's front end."""
        return "ESF"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
        """Nothing: `Sandbox.requests` is the log."""

    def _serve(self, form: Mapping[str, str]) -> None:
        server = cast(Server, self.server)
        request = self._request(form)
        fault = server.meet(request)
        self._wait(server, fault)
        self._reached(Stage.REQUEST, fault)
        if fault.delivery is Delivery.REFUSED:
            return self._reset()
        answer = fault.answer or server.answer(request)
        return self._deliver(_edited(answer, fault), fault)

    def _request(self, form: Mapping[str, str]) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True), form, headers)

    def _wait(self, server: Server, fault: Fault) -> None:
        if fault.gate:
            fault.gate.arrived.set()
            fault.gate.released.wait()
        if fault.delay:
            server.closing.wait(fault.delay.total_seconds())

    def _deliver(self, answer: Answer, fault: Fault) -> None:
        if fault.delivery is Delivery.LOST:
            return self._reset()
        if fault.garble:
            return self._deliver_garbled(answer, fault, fault.garble)
        body, encoding = self._encoded(answer, fault)
        self._head(answer, encoding, len(body))
        if fault.delivery is Delivery.TRUNCATED:
            self.close_connection = True
            body = body[: len(body) // 2]
        if fault.delivery is Delivery.DRIPPED:
            return self._drip(body, fault.pause.total_seconds())
        return self._write(body, fault)

    def _deliver_garbled(self, answer: Answer, fault: Fault, garble: Callable[[bytes], bytes]) -> None:
        line, self.wfile = self.wfile, io.BytesIO()
        body, encoding = self._encoded(answer, fault)
        self._head(replace(answer, headers=(*answer.headers, ("Connection", "close"))), encoding, len(body))
        framed, self.wfile = self.wfile.getvalue() + body, line
        if fault.pause:
            return self._drip(garble(framed), fault.pause.total_seconds())
        self.wfile.write(garble(framed))
        self.wfile.flush()
        return self._reset() if fault.delivery is Delivery.GARBLED_RESET else None

    def _write(self, body: bytes, fault: Fault) -> None:
        half = len(body) // 2
        self._reached(Stage.HEADERS, fault)
        self.wfile.write(body[:half])
        self._reached(Stage.BODY, fault)
        self.wfile.write(body[half:])
        self._reached(Stage.END, fault)

    def _reached(self, stage: Stage, fault: Fault) -> None:
        """Call the fault's act if this is its moment: what was written so far is on its way by then."""
        if fault.act and fault.stage is stage:
            self.wfile.flush()
            fault.act()

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
        closing = cast(Server, self.server).closing
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            if closing.wait(pause):
                self.close_connection = True
                break

    def _reset(self) -> None:
        """Hangs up with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _edited(answer: Answer, fault: Fault) -> Answer:
    if fault.edit is None or answer.status != 200:
        return answer
    value = json.loads(answer.body)
    fault.edit(value)
    return replace(answer, body=encode(value))
