"""One pool of connections shared by every session; timeouts on every call, gzip, pacing, no redirects."""

from __future__ import annotations

import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError

from contacts_sync import __version__
from contacts_sync.errors import ConfigurationError, PassingTrouble
from contacts_sync.google import faults, patience
from contacts_sync.google.body import LARGEST_ANSWER, whole_body
from contacts_sync.google.pacing import Pacer
from contacts_sync.google.tally import Tally

MOST_PLACES = 16  # that are configured as endpoints; each has a pool
TRANSPORT_TROUBLE = (requests.RequestException, HTTPError, OSError, zlib.error)
HEADERS = {
    # Google compresses only for clients whose User-Agent has the word gzip in it
    "User-Agent": f"contacts-sync/{__version__} (gzip)",
    "Accept-Encoding": "gzip",
    "Accept-Language": "en",  # display names and formatted fields are localised: keep them the same for ever
}


@dataclass(frozen=True, slots=True)
class Transport:
    """How all rooms of this floor reach Google."""

    session: requests.Session
    adapter: HTTPAdapter
    connect_timeout: timedelta
    read_timeout: timedelta
    pacer: Pacer
    tally: Tally

    @property
    def timeouts(self) -> tuple[float, float]:
        """Seconds to connect, and between two bytes of an answer."""
        return self.connect_timeout.total_seconds(), self.read_timeout.total_seconds()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that arrived whole, at `received_at`; `body` is decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


def open_transport(
    *,
    connect_timeout: timedelta,
    read_timeout: timedelta,
    ca_file: str,
    proxy: str,
    pool_size: int,
    requests_per_minute: int,
    requests_per_minute_per_user: int,
    stop: threading.Event,
) -> Transport:
    """A transport for `pool_size` threads. Nothing is taken from the environment: no proxy, no .netrc."""
    tally = Tally()
    adapter = _Adapter(_trust(ca_file), pool_size, tally)
    pacer = Pacer(per_user=requests_per_minute_per_user, in_all=requests_per_minute, stop=stop, tell_wait=tally.waited)
    session = requests.Session()
    prepare(session, adapter, proxy=proxy)
    return Transport(session, adapter, connect_timeout, read_timeout, pacer, tally)


class _Request(requests.PreparedRequest):
    """What a session would prepare, for a third of its work. `place` and `target` are the two parts of its URL."""

    def __init__(self, method: str, place: str, target: str, headers: dict[str, str], body: str | None = None) -> None:
        super().__init__()
        self.method, self.url, self.body = method, place + target, body
        self.headers = headers  # type: ignore[assignment]  # a plain dict: nobody looks it up in another spelling
        self.place, self.target = place, target


class _Adapter(HTTPAdapter):
    """A pool of connections that trusts what its SSL context trusts.

    For requests of ours that need no proxy it leaves out what the base class does for any request: to find the pool,
    to take the URL apart, and to look for cookies, encodings and redirects, which is half of its work.
    """

    def __init__(self, context: ssl.SSLContext, pool_size: int, tally: Tally) -> None:
        self._context = context
        self._tally = tally
        self._pools: dict[str, ConnectionPool] = {}
        super().__init__(pool_connections=MOST_PLACES, pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by the base class, once."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        patience.impose(self.poolmanager)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Every request of every session, counted."""
        status = 0
        try:
            response = super().send(*args, **kwargs)
            status = response.status_code
        finally:
            self._tally.asked(status)
        return response

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        """Called by the base class for each request."""
        if proxies or not isinstance(request, _Request):
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        if request.place not in self._pools:
            self._pools[request.place] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self._pools[request.place]

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Called by the base class for each request."""
        if proxies or not isinstance(request, _Request):
            return super().request_url(request, proxies)
        return request.target

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Called by the base class for each answer. We read `raw` ourselves."""
        if not isinstance(req, _Request):
            return super().build_response(req, resp)
        response = requests.Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response

    def close(self) -> None:
        """Let all connections go."""
        self._pools.clear()
        super().close()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Called by the base class, once a proxy."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        patience.impose(manager)
        return manager


def _trust(ca_file: str) -> ssl.SSLContext:
    """The system's certificates and, besides, those of `ca_file`. Raises `ConfigurationError`."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"google.endpoints.ca_file {ca_file} can't be used: {error.strerror}") from None
    return context


def prepare(session: requests.Session, adapter: BaseAdapter, *, proxy: str) -> None:
    """Give a session our pool, our headers and our settings."""
    session.trust_env = False
    session.headers.update(HEADERS)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # users share the session, and nothing else
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}


def get(
    transport: Transport,
    url: str,
    *,
    params: Mapping[str, str],
    access_token: str,
    user_id: str | None,
    largest: int = LARGEST_ANSWER,
) -> Answer:
    """GET some JSON with a bearer token, paced for `user_id` if one is given; of at most `largest` bytes.

    Raises `PassingTrouble` and its kin if no whole answer arrives, `Interrupted` if the process stops meanwhile.
    """
    if user_id is not None:
        transport.pacer.wait(user_id)
    answer = _exchange(transport, lambda: _prepared_get(url, params, access_token), largest)
    if answer.status == 200 and "json" not in answer.headers.get("Content-Type", "json").lower():
        raise PassingTrouble("the answer is no JSON: something between here and Google answers in its place")
    return answer


def post_form(transport: Transport, url: str, form: Mapping[str, str]) -> Answer:
    """POST a form; secrets go into the body, never into the URL."""
    return _exchange(transport, lambda: _prepared_form(url, form))


def _prepared_get(url: str, params: Mapping[str, str], access_token: str | None) -> _Request:
    place, target = _parts(url)
    if params:
        target = f"{target}{'&' if '?' in target else '?'}{urlencode(params)}"
    bearer = {} if access_token is None else {"Authorization": f"Bearer {access_token}"}
    return _Request("GET", place, target, HEADERS | bearer)


def _prepared_form(url: str, form: Mapping[str, str]) -> _Request:
    place, target = _parts(url)
    body = urlencode(form)
    framed = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return _Request("POST", place, target, HEADERS | framed, body)


@lru_cache(maxsize=16)
def _parts(url: str) -> tuple[str, str]:
    """`https://host:port`, and the rest as it is sent, after the checks that requests makes."""
    checked = requests.Request("GET", url).prepare()
    scheme, host, *_ = urlsplit(checked.url or "")
    return f"{scheme}://{host}", checked.path_url


def _exchange(transport: Transport, prepare_request: Callable[[], _Request], largest: int = LARGEST_ANSWER) -> Answer:
    """Send what is prepared, past the session: it would look for redirects, and read their bodies without a limit."""
    try:
        request = prepare_request()
        adapter = transport.session.get_adapter(request.place)
        proxies = transport.session.proxies
        with adapter.send(request, stream=True, timeout=transport.timeouts, verify=True, proxies=proxies) as response:
            body = whole_body(response.raw, largest)
            return Answer(response.raw.status, response.raw.headers, body, datetime.now(UTC))
    except TRANSPORT_TROUBLE as trouble:
        raise faults.judge_transport(trouble) from None


def reach(transport: Transport, url: str) -> Answer:
    """Whatever is answered there, to see that somebody does. Raises `PassingTrouble` and its kin."""
    return _exchange(transport, lambda: _prepared_get(url, {}, None))
