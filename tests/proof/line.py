"""The sandbox without a network between: the same requests, answers and trouble, a hundred times as fast.

For histories by the thousand. What a real line does to an answer is proved by the fault matrix.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from contacts_sync.sandbox import Sandbox
from contacts_sync.sandbox.answers import Answer, Request, encode
from contacts_sync.sandbox.faults import Delivery, Fault
from contacts_sync.sync.ahead import ReadAhead, Reading
from contacts_sync.sync.desk import Desk


class Line(HTTPAdapter):
    """`before`, if set, is called before each request has an effect: it may change the world, or raise."""

    def __init__(self, google: Sandbox) -> None:
        super().__init__()
        self.google = google
        self.before: Callable[[], object] | None = None

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        if self.before:
            self.before()
        asked = _asked(request)
        fault = self.google.meet(asked)
        if fault.delivery is Delivery.REFUSED:
            raise requests.ConnectionError("reset")
        answer = _edited(fault.answer or self.google.answer(asked), fault)
        if fault.delivery is Delivery.LOST:
            raise requests.ConnectionError("reset")
        return self.build_response(request, _delivered(answer, fault))


class AtOnce(ReadAhead):
    """Reads the next page before this one is written, but in the same thread: the same choices, the same history."""

    def begin(self, fetch: Callable[[], Reading]) -> Future[Reading]:
        """The page, which has come already, or why it didn't."""
        coming: Future[Reading] = Future()
        try:
            coming.set_result(fetch())
        except BaseException as trouble:  # noqa: BLE001  (as in a thread: whose page it is raises it)
            coming.set_exception(trouble)
        return coming


def shortened(desk: Desk, line: Line) -> Desk:
    """The same desk, with that line in place of the network."""
    transport = replace(desk.transport, adapter=line)
    for scheme in ("https://", "http://"):
        transport.session.mount(scheme, line)
    people = replace(desk.people, transport=transport)
    return replace(desk, transport=transport, people=people, read_ahead=AtOnce())


def _asked(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(request.url or "")
    body = request.body or ""
    form = parse_qs(body.decode() if isinstance(body, bytes) else str(body), keep_blank_values=True)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    query = parse_qs(str(parts.query), keep_blank_values=True)
    return Request(
        request.method or "", str(parts.path), query, {name: values[-1] for name, values in form.items()}, headers
    )


def _edited(answer: Answer, fault: Fault) -> Answer:
    if fault.edit is None or answer.status != 200:
        return answer
    value = json.loads(answer.body)
    fault.edit(value)
    return replace(answer, body=encode(value))


def _delivered(answer: Answer, fault: Fault) -> HTTPResponse:
    body, headers = answer.body, {"Content-Type": answer.content_type, **dict(answer.headers)}
    if fault.delivery is Delivery.GZIP_CUT:
        body, headers["Content-Encoding"] = gzip.compress(body, 1)[:-8], "gzip"
    headers["Content-Length"] = str(len(body))
    if fault.delivery is Delivery.TRUNCATED:
        body = body[: len(body) // 2]
    return HTTPResponse(io.BytesIO(body), headers, answer.status, preload_content=False, decode_content=False)
