"""A real CardDAV server on loopback: Radicale, which checks what it is given."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.operating import wait_until

SOMEBODY = ("someone", "any")


@contextmanager
def address_book(folder: Path) -> Iterator[str]:
    """The URL of an empty address book."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = {"server-hosts": f"127.0.0.1:{port}", "auth-type": "none", "storage-filesystem-folder": str(folder)}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen([sys.executable, "-m", "radicale", "--config", "", *words], stderr=subprocess.DEVNULL)
    book = f"http://127.0.0.1:{port}/someone/book/"
    try:
        wait_until(lambda: _made(book))
        yield book
    finally:
        process.terminate()
        process.wait(20)


def _made(book: str) -> bool:
    body = (
        '<?xml version="1.0"?><D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
        "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>"
    )
    try:
        return requests.request("MKCOL", book, data=body, auth=SOMEBODY, timeout=2).status_code == 201
    except requests.ConnectionError:
        return False
