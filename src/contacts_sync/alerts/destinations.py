"""Where the operator's own URLs may lead: to the public net, and to hosts that the operator allows by name.

A URL in a configuration must not become a way into the network that the daemon stands in (OWASP's SSRF Prevention
Cheat Sheet, case 2): a host is resolved once, every address that it has is judged, and that address is connected to.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from contacts_sync.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[Address]]

PORTS = {"https": 443, "http": 80}
UNICAST = IPv6Network("2000::/3")  # all that IANA has given out of the global IPv6 net
NAT64 = IPv6Network("64:ff9b::/96")  # how a host with IPv6 only reaches an IPv4 address: RFC 6052
ALLOW = "if it is meant, name the host in alerts.allow_hosts"


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be called, taken apart, with the checked addresses of its host. `target` may be a secret."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)  # path and query
    addresses: tuple[Address, ...]


def is_public(address: Address) -> bool:
    """False for an address that leads into a private network, to this host, to a cloud's metadata, or to many hosts.

    An IPv6 address that stands for an IPv4 one is as public as that; v4-mapped ones are never met in good faith.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None and not is_public(address.sixtofour):
        return False
    return address in UNICAST and address.is_global


def resolved(host: str, port: int) -> list[Address]:
    """The addresses of a host name, in the order in which they should be tried. Raises `OSError`, takes its time."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def checked_addresses(
    host: str, port: int, allow_hosts: Collection[str], resolve: Resolve = resolved
) -> tuple[Address, ...]:
    """The addresses at which a host may be called. Raises `ConfigurationError`, `OSError` if the name has none.

    One address that leads inside is enough: the next connection might be made to that one.
    """
    addresses = tuple(resolve(host, port))
    if not addresses:
        raise OSError(f"{host} has no address")
    inside = [address for address in addresses if not is_public(address)]
    if inside and not is_allowed(host, allow_hosts):
        raise ConfigurationError(f"{host} is {inside[0]}, which isn't on the public net", hint=ALLOW)
    return addresses


def is_allowed(host: str, allow_hosts: Collection[str]) -> bool:
    """True for a host that the operator allows by its very name."""
    return _plain(host) in {_plain(allowed) for allowed in allow_hosts}


def checked(url: str, allow_hosts: Collection[str], resolve: Resolve = resolved) -> Destination:
    """Where a URL leads, if it may be called: https, or plain http to an allowed host.

    Raises `ConfigurationError`, which never tells more of the URL than its host; `OSError` if the name can't be
    resolved.
    """
    scheme, host, port, target = _taken_apart(url)
    if scheme == "http" and not is_allowed(host, allow_hosts):
        raise ConfigurationError(f"plain http to {host}: anybody on the way could read it", hint=f"https, or, {ALLOW}")
    return Destination(scheme, host, port, target, checked_addresses(host, port, allow_hosts, resolve))


def _taken_apart(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url.strip())
        host, port = _plain(parts.hostname or ""), parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise _no_url() from None
    if parts.scheme not in PORTS or not host or parts.username or parts.password or not url.isprintable():
        raise _no_url()
    return parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _no_url() -> ConfigurationError:
    return ConfigurationError("not a URL that can be called", hint="https://host/path, without user and password")


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
