"""Answers that arrive as a whole in time, or not at all.

A read timeout holds for one read only: a peer that sends a byte now and then, in the headers or in the body, would
keep a worker for ever. Here each read gets what is left of the time for the whole answer. A connect timeout holds for
one address only, and looking a name up knows none: here they have a time together.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from contacts_sync.beside import promised

READS_PER_ANSWER = 2  # a whole answer may take as long as this many silent reads
CONNECTS_PER_HOST = 3  # an address that hears nothing leaves time for the next one, as IPv6 may for IPv4


class _TimedReads(io.RawIOBase):
    """A socket's stream that ends in `TimeoutError` once the time for the answer is over."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream = stream
        self._sock = sock
        self._longest = sock.gettimeout() or 0.0
        self._until = time.monotonic() + READS_PER_ANSWER * self._longest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> Any:
        left = self._until - time.monotonic()
        if left >= self._longest:  # as nearly always: the socket waits that long by itself
            return self._stream.readinto(buffer)
        if left <= 0:
            raise TimeoutError("the answer took too long to arrive")
        self._sock.settimeout(left)
        try:
            return self._stream.readinto(buffer)
        finally:
            self._sock.settimeout(self._longest)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """Made anew for each answer, when its first byte is awaited."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if sock.gettimeout() is not None:
            self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock))

    def begin(self) -> None:
        """Called by the connection. Interim answers are passed over (RFC 9110 section 15.2): the base class knows only
        100, and would leave what follows another one to whoever asks next on this connection.
        """
        super().begin()
        while 100 <= self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # the base class's sign for "not begun"
            super().begin()


def _connected_in_time(connection: HTTPConnection, connect: Callable[[], socket.socket]) -> socket.socket:
    """What `connect` gives, in a thread of its own: nothing else ends a look-up that gets no answer."""
    coming = promised("connect", connect)
    if coming is None:
        return connect()
    try:
        return coming.result(CONNECTS_PER_HOST * connection.timeout if connection.timeout else None)
    except TimeoutError:
        coming.add_done_callback(_hang_up)
        raise ConnectTimeoutError(connection, f"looking {connection.host} up took too long") from None


def _hang_up(late: Future[socket.socket]) -> None:
    """Nobody waits any more."""
    if late.exception() is None:
        late.result().close()


class _Connection(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        return _connected_in_time(self, super()._new_conn)


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        return _connected_in_time(self, super()._new_conn)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def impose(manager: PoolManager) -> None:
    """Let all connections that this manager opens from now on be patient only for so long."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
