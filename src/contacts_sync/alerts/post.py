"""One POST to a checked address: no redirect, no proxy, no cookie; an answer that is short and comes in time."""

from __future__ import annotations

import ssl
from datetime import timedelta

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from contacts_sync import __version__
from contacts_sync.alerts.destinations import Address, Destination
from contacts_sync.errors import PassingTrouble, RequestRejected
from contacts_sync.google import patience

CONNECT, READ = timedelta(seconds=5), timedelta(seconds=5)
MOST_ADDRESSES = 3  # are tried in turn
LONGEST_ANSWER = 64 * 1024
HEADERS = {"User-Agent": f"contacts-sync/{__version__}", "Content-Type": "text/plain; charset=utf-8"}


def post(to: Destination, target: str, text: str) -> None:
    """POST a text to a destination's `target` (path and query).

    Raises `PassingTrouble` if nobody answers, `RequestRejected` for any answer but a 2xx. Neither tells the target.
    """
    status = _first_answer(to, target, text.encode())
    if not 200 <= status < 300:
        raise RequestRejected(f"{to.host} answered {status}", hint=_hint(status))


def _first_answer(to: Destination, target: str, body: bytes) -> int:
    """Another address is tried only where nobody takes the connection: what was sent once isn't sent again."""
    why = ""
    for address in to.addresses[:MOST_ADDRESSES]:
        try:
            return _exchange(to, address, target, body)
        except (NewConnectionError, ConnectTimeoutError) as trouble:
            why = type(trouble).__name__
        except (HTTPError, OSError) as trouble:
            why = type(trouble).__name__
            break
    raise PassingTrouble(f"{to.host} doesn't answer: {why}") from None


def _hint(status: int) -> str:
    return "redirects aren't followed: give the address that they lead to" if 300 <= status < 400 else "see the URL"


def _exchange(to: Destination, address: Address, target: str, body: bytes) -> int:
    """The status of the answer. The name is what the certificate must be for, the address is what we connect to."""
    with PoolManager(
        num_pools=1,
        ssl_context=ssl.create_default_context(),
        timeout=Timeout(connect=CONNECT.total_seconds(), read=READ.total_seconds()),
        retries=False,
    ) as manager:
        patience.impose(manager)
        pool = manager.connection_from_host(
            str(address), to.port, to.scheme, {"server_hostname": to.host, "assert_hostname": to.host}
        )
        host = to.host if ":" not in to.host else f"[{to.host}]"
        answer = pool.urlopen(
            "POST", target, body, {**HEADERS, "Host": f"{host}:{to.port}"}, redirect=False, preload_content=False
        )
        try:
            answer.read(LONGEST_ANSWER)
        finally:
            answer.close()
        return int(answer.status)
