"""No URL of a configuration leads into the network that the daemon stands in."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.alerts.destinations import Address, Resolve, checked, is_public, resolved
from contacts_sync.errors import ConfigurationError

INSIDE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "192.0.2.0/24",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
]
INSIDE_6 = [
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "2001:db8::/32",
    "::/96",
]


def inside_4() -> st.SearchStrategy[IPv4Address]:
    return st.one_of([st.ip_addresses(network=IPv4Network(net)).map(_as_4) for net in INSIDE])


def _as_4(address: Address) -> IPv4Address:
    assert isinstance(address, IPv4Address)
    return address


@given(inside_4())
def test_no_address_of_a_private_network_is_public(address: IPv4Address) -> None:
    assert not is_public(address)


@given(st.one_of([st.ip_addresses(network=IPv6Network(net)) for net in INSIDE_6]))
def test_no_inner_ipv6_address_is_public(address: IPv6Address) -> None:
    assert not is_public(address)


@given(inside_4())
def test_a_private_address_is_no_more_public_as_an_ipv6_one(address: IPv4Address) -> None:
    wrapped = f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"
    six_to_four = IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)
    assert not any(is_public(one) for one in (*map(IPv6Address, wrapped), six_to_four))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_an_address_of_the_public_net_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"])
def test_a_clouds_metadata_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


def answering(*addresses: str) -> Resolve:
    def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address(address) for address in addresses]

    return resolve


def test_a_url_is_taken_apart_and_keeps_its_secret_to_itself() -> None:
    found = checked("https://HC.example.com./ping/s3cr3t?x=1", [], answering("8.8.8.8"))
    assert (found.scheme, found.host, found.port, found.target) == ("https", "hc.example.com", 443, "/ping/s3cr3t?x=1")
    assert "s3cr3t" not in repr(found)


def test_one_inner_address_among_others_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"hc\.example\.com is 10\.0\.0\.1"):
        checked("https://hc.example.com/s3cr3t", [], answering("8.8.8.8", "10.0.0.1"))


def test_an_allowed_host_may_be_inside_and_speak_plain_http() -> None:
    found = checked("http://Hooks.internal:8080/x", ["hooks.internal"], answering("10.0.0.1"))
    assert (found.host, found.port, found.addresses) == ("hooks.internal", 8080, (IPv4Address("10.0.0.1"),))


@pytest.mark.parametrize("url", ["http://hc.example.com/s3cr3t", "http://127.0.0.1/s3cr3t"])
def test_plain_http_is_for_allowed_hosts_only(url: str) -> None:
    with pytest.raises(ConfigurationError, match="plain http") as refused:
        checked(url, ["other.example.com"], answering("8.8.8.8"))
    assert "s3cr3t" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cr3t",
        "ftp://host/s3cr3t",
        "file:///etc/s3cr3t",
        "https:///s3cr3t",
        "https://host:99999/s3cr3t",
        "https://[::1/s3cr3t",
        "https://user:s3cr3t@host/",
        "https://host/s3cr3t\r\nX: y",
    ],
)
def test_what_is_no_url_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked(url, ["host"], answering("8.8.8.8"))
    assert "s3cr3t" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost"])
def test_a_loopback_address_is_known_however_it_is_written(host: str) -> None:
    with pytest.raises(ConfigurationError, match="isn't on the public net"):
        checked(f"https://{host}/", [], resolved)


def test_a_name_without_an_address_is_passing_trouble() -> None:
    with pytest.raises(OSError, match="has no address"):
        checked("https://hc.example.com/", [], answering())
