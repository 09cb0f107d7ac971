"""One POST to a checked address: no redirect, no proxy, no cookie; an answer that is short and comes in time."""

from __future__ import annotations

import ssl
from datetime import timedelta

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from contacts_sync import __version__
from contacts_sync.alerts.destinations import Address, Destination
from contacts_sync.errors import PassingTrouble, RequestRejected
from contacts_sync.google import patience

CONNECT, READ = timedelta(seconds=5), timedelta(seconds=5)
MOST_ADDRESSES = 3  # are tried in turn
LONGEST_ANSWER = 64 * 1024
LONGEST = MOST_ADDRESSES * CONNECT + patience.READS_PER_ANSWER * READ
HEADERS = {"User-Agent": f"contacts-sync/{__version__}", "Content-Type": "text/plain; charset=utf-8"}


def post(to: Destination, target: str, text: str) -> None:
    """POST a text to a destination's `target` (path and query). Takes `LONGEST` at the most.

    Raises `PassingTrouble` if nobody answers, `RequestRejected` for any answer but a 2xx. Neither tells the target.
    """
    for number, address in enumerate(to.addresses[:MOST_ADDRESSES], start=1):
        try:
            status = _exchange(to, address, target, text.encode())
        except (HTTPError, OSError) as trouble:
            if number == min(MOST_ADDRESSES, len(to.addresses)):
                raise PassingTrouble(f"{to.host} doesn't answer: {type(trouble).__name__}") from None
        else:
            break
    if not 200 <= status < 300:
        raise RequestRejected(f"{to.host} answered {status}", hint=_hint(status))


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
