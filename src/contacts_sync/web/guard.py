"""Who may see anything at all: requests for one of our names, with the password where there is one."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from pathlib import Path

from contacts_sync.errors import ConfigurationError
from contacts_sync.secret_file import read_secret
from contacts_sync.settings import is_loopback

SHORTEST_PASSWORD = 8


def own_names(configured: tuple[str, ...]) -> frozenset[str]:
    """The names that a browser may have in its address bar when it talks to us."""
    return frozenset({"localhost", socket.gethostname().lower(), socket.getfqdn().lower(), *configured})


def is_for_us(host_header: str, names: frozenset[str]) -> bool:
    """False for a name that isn't ours: a page elsewhere that has its own name resolve to this machine.

    An address can't be rebound, so any address is as good as ours.
    """
    host = _without_port(host_header.lower())
    return host.rstrip(".") in names or is_loopback(host) or _is_address(host)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def read_password(path: Path) -> str:
    """The password of a file's first line. Raises `ConfigurationError` if there is none or others can read it."""
    password = read_secret(path, "web.password_file")
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigurationError(
            f"web.password_file {path}: its first line has fewer than {SHORTEST_PASSWORD} characters",
            hint=f"openssl rand -base64 24 > {path}",
        )
    return password


def is_right(given: str | None, password: str) -> bool:
    """Compared in a time that tells nothing."""
    return given is not None and hmac.compare_digest(given.encode(), password.encode())
