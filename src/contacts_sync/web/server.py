"""The HTTP server in a thread of its own: it waits for its port, and whatever happens to it, syncing goes on."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from contacts_sync import logs
from contacts_sync.beside import beside
from contacts_sync.settings import Address

log = logs.get_logger()

TRY_AGAIN = timedelta(seconds=10)
LOOK_EVERY = timedelta(milliseconds=200)  # how soon the end of the process is noticed
STOP_WITHIN = timedelta(seconds=3)
LIMITS = {
    "threads": 6,
    "connection_limit": 100,
    "backlog": 64,
    "channel_timeout": 20,
    "cleanup_interval": 5,
    "max_request_header_size": 16_384,
    "max_request_body_size": 1_024,  # nobody has anything to send
    "clear_untrusted_proxy_headers": True,
    "ident": None,
}

Application = Callable[..., Any]  # WSGI's
Make = Callable[[], AbstractContextManager[Application]]


@contextmanager
def serving(address: Address, make: Make) -> Iterator[None]:
    """Serve the application of `make` at an address while the block lasts.

    A port that is taken, an application that can't be made, a server that breaks: each is one log line, and
    another try ten seconds later.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # says that it is busy, at every busy moment
    with beside("web", partial(_keep_serving, address, make), stop_within=STOP_WITHIN):
        yield


def _keep_serving(address: Address, make: Make, stop: threading.Event) -> None:
    said: str | None = None
    while not stop.is_set():
        try:
            _serve(address, make, stop)
        except Exception as trouble:  # noqa: BLE001  (the boundary between the dashboard and the daemon)
            if str(trouble) != said:
                hint = getattr(trouble, "hint", "") or f"tried again every {TRY_AGAIN.seconds} s; see web.listen"
                log.error("web_unavailable", address=str(address), error=str(trouble), hint=hint)
            said = str(trouble)
            stop.wait(TRY_AGAIN.total_seconds())


def _serve(address: Address, make: Make, stop: threading.Event) -> None:
    """Until told to stop. The socket is bound here: waitress starts threads before it notices a taken port."""
    with closing(_bound(address)) as listening, make() as application:
        channels: dict[int, Any] = {}
        server = create_server(application, map=channels, sockets=[listening], **LIMITS)
        log.info("web_listening", url=f"http://{Address(*listening.getsockname()[:2])}/")
        try:
            while not stop.is_set():
                wasyncore.loop(timeout=LOOK_EVERY.total_seconds(), use_poll=True, map=channels, count=1)
        finally:
            server.task_dispatcher.shutdown(timeout=1)
            server.trigger.close()
            wasyncore.close_all(channels, ignore_all=True)


def _bound(address: Address) -> socket.socket:
    family, *_, found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(found[:2], family=family)
