"""A transport, and peers on loopback: the sandbox, and a raw socket that says exactly what it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contacts_sync.google.http import Transport, open_transport
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.sandbox import Sandbox


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = open_transport(
        connect_timeout=timedelta(seconds=2),
        read_timeout=timedelta(milliseconds=400),
        ca_file="",
        proxy="",
        pool_size=4,
        requests_per_minute=0,
        requests_per_minute_per_user=0,
        stop=threading.Event(),
    )
    yield made
    made.session.close()


@pytest.fixture
def patient(transport: Transport) -> Transport:
    return replace(transport, read_timeout=timedelta(seconds=10))


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.world.add_account("ann@example.com")
        yield sandbox


@pytest.fixture
def client(google: Sandbox) -> OAuthClient:
    endpoints = {name: url for name, url in google.endpoints.items() if name != "people"}
    return OAuthClient(google.client_id, google.client_secret, **endpoints)


Peer = Callable[..., str]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """`peer(bytes)`: a URL whose every visitor gets these bytes; then it hangs up, or hangs. `visits` is what they said."""
    sockets: list[socket.socket] = []
    ended = threading.Event()

    def serve(answer: bytes, *, hang: bool = False, pause: float = 0.0, visits: list[bytes] | None = None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        threading.Thread(target=_answer, args=(listener, answer, hang, pause, ended, visits), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    ended.set()
    for listener in sockets:
        listener.close()


def _answer(
    listener: socket.socket, answer: bytes, hang: bool, pause: float, ended: threading.Event, visits: list[bytes] | None
) -> None:
    while not ended.is_set():
        try:
            visitor, _ = listener.accept()
        except OSError:
            return
        with visitor:
            said = visitor.recv(65_536)
            if visits is not None:
                visits.append(said)
            try:
                _send(visitor, answer, pause, ended)
            except OSError:
                continue
            if hang:
                ended.wait(10)


def _send(visitor: socket.socket, answer: bytes, pause: float, ended: threading.Event) -> None:
    if not pause:
        visitor.sendall(answer)
        return
    for position in range(len(answer)):
        visitor.sendall(answer[position : position + 1])
        if ended.wait(pause):
            return
