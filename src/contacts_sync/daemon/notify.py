"""Messages to systemd: sd_notify(3), a datagram to the socket it names. Silent where nobody asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta

from contacts_sync import logs

log = logs.get_logger()

PATIENCE = timedelta(milliseconds=200)


def tell_systemd(*assignments: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send e.g. `READY=1`, `STATUS=...`, `WATCHDOG=1`, `STOPPING=1`."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.settimeout(PATIENCE.total_seconds())  # a full socket blocks, and with it all that the loop does
        try:
            channel.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            log.warning("systemd_not_told", what=assignments[0].partition("=")[0], error=str(error))


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> timedelta | None:
    """How often systemd wants to hear from us: half of WATCHDOG_USEC, if the watchdog is meant for this process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or meant_for != str(os.getpid()):
        return None
    return timedelta(microseconds=int(microseconds)) / 2
