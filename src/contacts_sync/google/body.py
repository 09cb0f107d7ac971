"""The body of an answer: whole and decoded, and however large, without filling the memory of a process with workers."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

from urllib3 import BaseHTTPResponse

from contacts_sync.errors import PassingTrouble, RequestRejected

MIB = 1024 * 1024
LARGEST_PAGE = 32 * MIB  # decoded; a page of 1,000 rich contacts has about 5 MB
LARGEST_ANSWER = MIB  # of any other kind
CHUNK = 64 * 1024
LARGE, SIDE_BY_SIDE = 8 * MIB, 2  # so many larger ones are read at a time; the others wait for their turn
PATIENCE = timedelta(minutes=1)  # for that

_turns = threading.BoundedSemaphore(SIDE_BY_SIDE)


def whole_body(response: BaseHTTPResponse, largest: int = LARGEST_ANSWER) -> bytes:
    """The decoded body of a streamed answer: a cut gzip stream is no answer, however well it reads so far.

    Raises `RequestRejected` for more than `largest` bytes, `PassingTrouble` for a cut one, or if its turn doesn't come.
    """
    parts: list[bytes] = []
    size = 0
    with ExitStack() as turn:
        for part in _parts(response):
            parts.append(part)
            if size <= LARGE < size + len(part):
                _take(turn)
            size += len(part)
            if size > largest:
                parts.clear()  # or they would live as long as the error and its traceback
                raise RequestRejected(
                    f"an answer has more than {largest // MIB} MiB",
                    hint="if contacts are that large: lower sync.page_size",
                )
        return b"".join(parts)


def _parts(response: BaseHTTPResponse) -> Iterator[bytes]:
    chunks: Iterator[bytes] = response.stream(CHUNK, decode_content=False)
    if response.headers.get("Content-Encoding", "").lower() != "gzip":
        yield from chunks
        return
    gunzip = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        rest = chunk
        while part := gunzip.decompress(rest, MIB):
            yield part
            rest = gunzip.unconsumed_tail
    if not gunzip.eof:
        raise PassingTrouble("Google's compressed answer was cut short")


def _take(turn: ExitStack) -> None:
    if not _turns.acquire(timeout=PATIENCE.total_seconds()):
        raise PassingTrouble("several very large answers come at once")
    turn.callback(_turns.release)
