"""A People API with a token endpoint that costs next to nothing: all it says is rendered before anybody asks.

Every user sees the same address book, whatever the bearer token. A full listing stays as it was rendered; changes
are told to incremental listings, which name the generation they know in their sync token. Loopback only.

Run it as `python -m tests.benchmarks.people_api --contacts 25000`; the first line on stdout is its base URL. Besides
Google's paths it knows `POST /change?share=0.01` (as large a share of the contacts gets new contents) and
`GET /asked` (how many requests each path has had).
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from urllib.parse import parse_qs, urlsplit

import msgspec
import requests

from tests.benchmarks.persons import groups, person

TOKEN = {"access_token": f"ya29.{'bench':-^200}", "expires_in": 3599, "token_type": "Bearer"}  # as long as Google's
CONNECTIONS = "/v1/people/me/connections"


@dataclass
class AddressBook:
    """Answers as whole HTTP messages, page by page."""

    contacts: int
    page_size: int
    full: list[bytes] = field(init=False)
    changed: list[bytes] = field(init=False)
    generation: int = 0

    def __post_init__(self) -> None:
        self.full = self._pages((person(number) for number in range(self.contacts)), "full")
        self.changed = self._pages((), "changed")

    def change(self, share: float) -> None:
        """Give that share of the contacts, spread over all of them, new contents."""
        self.generation += 1
        step = max(1, round(1 / share)) if share else self.contacts + 1
        numbers = range(self.generation % step, self.contacts, step)
        self.changed = self._pages((person(number, self.generation) for number in numbers), "changed")

    def listing(self, query: dict[str, list[str]]) -> bytes:
        """The page that a request asks for."""
        token = query.get("pageToken", [""])[0]
        kind, _, number = token.partition("-")
        if kind == "full" or not (token or "syncToken" in query):
            return self.full[int(number or 0)]
        known = int(query["syncToken"][0])
        return self.changed[int(number or 0)] if known < self.generation else message(self._tail([], ""))

    def _pages(self, people: Iterable[bytes], kind: str) -> list[bytes]:
        rest = iter(people)
        pages: list[bytes] = []
        page = list(islice(rest, self.page_size))
        while True:
            following = list(islice(rest, self.page_size))
            token = f"{kind}-{len(pages) + 1}" if following else ""
            pages.append(message(self._tail(page, token)))
            if not following:
                return pages
            page = following

    def _tail(self, people: Sequence[bytes], page_token: str) -> bytes:
        """A page's JSON. Google leaves out what is empty."""
        parts = [b'"connections":[' + b",".join(people) + b"]"] if people else []
        tokens = {"nextPageToken": page_token} if page_token else {"nextSyncToken": str(self.generation)}
        return b"{" + b",".join([*parts, msgspec.json.encode(tokens)[1:-1]]) + b"}"


def message(body: bytes) -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Service:
    """What is said to which path."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._asked: Counter[str] = Counter()
        self._token, self._groups = message(msgspec.json.encode(TOKEN)), message(groups())

    def answer(self, target: str) -> bytes:
        """The whole answer to a request for that target."""
        url = urlsplit(target)
        self._asked[url.path] += 1
        if url.path == CONNECTIONS:
            return self._book.listing(parse_qs(url.query))
        if url.path == "/v1/contactGroups":
            return self._groups
        if url.path == "/token":
            return self._token
        if url.path == "/change":
            self._book.change(float(parse_qs(url.query)["share"][0]))
            return message(b"{}")
        if url.path == "/asked":
            return message(msgspec.json.encode(self._asked))
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Exchange(asyncio.Protocol):
    """One connection, kept alive: request after request, each answered after the latency."""

    def __init__(self, answer: Callable[[str], bytes], latency: float) -> None:
        self._answer = answer
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            length = _content_length(head)
            if len(rest) < length:
                return
            self._received = rest[length:]
            said = self._answer(head.split(b" ", 2)[1].decode())
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, said)
            else:
                self._transport.write(said)


def _content_length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


@contextmanager
def running(contacts: int, *, latency_ms: float = 0, page_size: int = 1000) -> Iterator[str]:
    """The base URL of a process of its own that serves that many contacts until the block ends."""
    words = ["--contacts", str(contacts), "--latency", str(latency_ms), "--page-size", str(page_size)]
    command = [sys.executable, "-m", "tests.benchmarks.people_api", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def change(base_url: str, share: float) -> None:
    """Change that share of the contacts that such a process serves."""
    requests.post(f"{base_url}/change", params={"share": str(share)}, timeout=60).raise_for_status()


def asked(base_url: str) -> Counter[str]:
    """How many requests each path of such a process has had."""
    return Counter(requests.get(f"{base_url}/asked", timeout=60).json())


async def _serve(service: Service, latency_ms: float, port: int) -> None:
    loop = asyncio.get_running_loop()
    exchange = partial(Exchange, service.answer, latency_ms / 1000)
    server = await loop.create_server(exchange, "127.0.0.1", port, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="a pre-rendered People API")
    parser.add_argument("--contacts", type=int, default=25_000)
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds before each answer")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(_serve(Service(AddressBook(given.contacts, given.page_size)), given.latency, given.port))


if __name__ == "__main__":
    main()
