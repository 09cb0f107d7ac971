"""A proxy on the wire to PostgreSQL: it knows where each message begins and ends, and can strike between two.

The protocol's frames: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Self

STARTUP = 196_608  # protocol 3.0; other codes ask for encryption or cancel
PORT = ".s.PGSQL.5432"
PARSE, COMPLETE = b"P", b"C"
CHANGES = (b"INSERT", b"UPDATE", b"DELETE")  # outside of a transaction: to report one is to report its commit
Frame = bytes


class Proxy:
    """Listens below `folder` and passes everything on to the server below `server`, while its block lasts.

    The frontend's messages are numbered over all its connections, from 1. `before` and `after` are called with
    a message's number before and after it is passed on; from the call that answers True on, nothing passes any more.
    The commits that the server reports are numbered as well: the report of number `lost_commit`, and with it the
    connection, is lost.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self.before: Callable[[int], bool] = lambda _number: False
        self.after: Callable[[int], bool] = lambda _number: False
        self.lost_commit: int | None = None
        self.messages = 0
        self.commits = 0
        self._server = server
        self._cut = False
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / PORT))
        self._listener.listen(64)
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cut = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._open):
            _hang_up(end)
        for thread in self._threads:
            thread.join(20)
        (self.folder / PORT).unlink()

    def url(self, direct: str) -> str:
        """The address of a database, by way of the proxy."""
        return direct.replace(str(self._server), str(self.folder))

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=work, args=arguments, name="pg-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server / PORT))
            self._open |= {client, server}
            self._spawn(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        """The life of a connection, to its end."""
        said = [b""]  # the latest statement
        back = Thread(target=self._backend, args=[server, client, said], name="pg-proxy-back", daemon=True)
        back.start()
        with suppress(OSError):
            for frame in _frontend_frames(client):
                if frame.startswith(PARSE):
                    said[0] = frame
                if not self._pass(frame, server):
                    break
        _hang_up(server)
        _hang_up(client)
        back.join()
        for end in (client, server):
            self._open.discard(end)
            end.close()

    def _pass(self, frame: Frame, server: socket.socket) -> bool:
        """False once nothing passes any more."""
        with self._lock:
            if self._cut:
                return False
            self.messages += 1
            number = self.messages
            self._cut = self.before(number)
            if self._cut:
                return False
            server.sendall(frame)
            self._cut = self.after(number)
            return not self._cut

    def _backend(self, server: socket.socket, client: socket.socket, said: list[Frame]) -> None:
        begun = False
        with suppress(OSError):
            for frame in _frames(server):
                done = frame[5:-1] if frame.startswith(COMPLETE) else b""
                changed = bool(done) and not begun and any(word in said[0] for word in CHANGES)
                begun = done == b"BEGIN" or (begun and done not in (b"COMMIT", b"ROLLBACK"))
                if (done == b"COMMIT" or (changed and not begun)) and self._is_lost():
                    break
                client.sendall(frame)
        _hang_up(client)
        _hang_up(server)

    def _is_lost(self) -> bool:
        with self._lock:
            self.commits += 1
            return self.commits == self.lost_commit


def _frontend_frames(client: socket.socket) -> Iterator[Frame]:
    """The first message has no type; a request for encryption may come before it, and Unix sockets know none."""
    head = _exactly(client, 8)
    length, code = struct.unpack("!II", head)
    assert code == STARTUP, f"not a start of protocol 3.0: {code}"
    yield head + _exactly(client, length - 8)
    yield from _frames(client)


def _frames(source: socket.socket) -> Iterator[Frame]:
    """Type, length, body; buffered, so that a message is one call."""
    with source.makefile("rb") as stream:
        while len(head := stream.read(5)) == 5:
            yield head + stream.read(struct.unpack("!I", head[1:])[0] - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = source.recv(size - len(received))
        if not more:
            raise ConnectionResetError
        received += more
    return received


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
