"""How each kind of setting is read from text or TOML, and written down. `ValueError` says what is expected."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|::1|localhost")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+)):(?P<port>\d{1,5})")
HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
STORE_URL = re.compile(r"sqlite:///.+|postgresql(\+psycopg)?://.*")
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

Reader = Callable[[Any], Any]


class Text(str):
    """A value from the environment, where everything is text. In TOML a number, or a list, must be one."""

    __slots__ = ()


def parse_duration(text: object) -> timedelta:
    """`"30s"`, `"10m"`, `"2h"`, `"30d"`, `"200ms"` as a timedelta."""
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('a duration such as "30s", "10m", "2h" or "30d"')
    return timedelta(seconds=float(found[1]) * UNITS[found[2]])


def format_duration(duration: timedelta) -> str:
    """The shortest way to write a duration down."""
    seconds = duration.total_seconds()
    for unit in ("d", "h", "m", "s", "ms"):
        if seconds and seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def duration(*, least: str = "0s", most: str = "365d") -> Reader:
    """A duration within bounds."""

    def read(value: object) -> timedelta:
        found = parse_duration(value)
        if not parse_duration(least) <= found <= parse_duration(most):
            raise ValueError(f"a duration from {least} to {most}")
        return found

    return read


def retention(value: object) -> timedelta | None:
    """A duration, or `"forever"`."""
    if value == "forever":
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "forever"') from None


def durations(value: object) -> tuple[timedelta, ...]:
    """A list of durations; in the environment with commas between."""
    items = [item.strip() for item in value.split(",")] if isinstance(value, Text) else value
    if not isinstance(items, list):
        raise ValueError('a list of durations such as ["2s", "4s"]')
    try:
        return tuple(parse_duration(item) for item in items if item != "")
    except ValueError:
        raise ValueError('a list of durations such as ["2s", "4s"]') from None


def integer(least: int, most: int) -> Reader:
    """A whole number within bounds."""
    expected = f"a whole number from {least} to {most}"

    def read(value: object) -> int:
        if isinstance(value, Text) and re.fullmatch(r"-?\d{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(expected)
        return value

    return read


def share(value: object) -> float:
    """A number from 0 to 1."""
    try:
        number = float(value) if isinstance(value, Text | int | float) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("a number from 0 to 1")
    return number


def boolean(value: object) -> bool:
    """true or false."""
    known = {"true": True, "false": False, "1": True, "0": False}
    found = known.get(value) if isinstance(value, Text) else value
    if not isinstance(found, bool):
        raise ValueError("true or false")
    return found


def string(value: object) -> str:
    """Any text."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a string")
    return str(value)


def one_of(*words: str) -> Reader:
    """One of a few words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return read


def endpoint(value: object) -> str:
    """An https URL; plain http only on loopback, where nobody can listen in."""
    parts = urlsplit(string(value))
    loopback = LOOPBACK.fullmatch(parts.hostname or "") is not None
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not loopback):
        raise ValueError("an https:// URL (http:// only on loopback)")
    return string(value).rstrip("/")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(value: object) -> Address | None:
    """`host:port` or `[IPv6]:port`, or nothing."""
    if string(value) == "":
        return None
    found = ADDRESS.fullmatch(string(value))
    if found is None or int(found["port"]) > 65535:
        raise ValueError('"host:port" such as "127.0.0.1:8787", or an empty string')
    return Address(found["v6"] or found["name"], int(found["port"]))


def is_loopback(host: str) -> bool:
    """True for a name or an address of this machine that no other can reach."""
    return LOOPBACK.fullmatch(host) is not None


def host_names(value: object) -> tuple[str, ...]:
    """A list of host names; in the environment with commas between."""
    items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, Text) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and HOST_NAME.fullmatch(item) for item in items):
        raise ValueError('a list of host names such as ["contacts.example.com"]')
    return tuple(item.lower() for item in items)


class Command(tuple[str, ...]):
    """The words of a command, as its program gets them; shown as they would be typed."""

    __slots__ = ()

    def __str__(self) -> str:
        return shlex.join(self)


def command(value: object) -> Command:
    """A list of words; in the environment as they would be typed, with quotes. No shell ever sees them."""
    expected = ValueError('a list of words such as ["/usr/local/bin/tell", "ops"], or an empty one')
    try:
        words = shlex.split(value) if isinstance(value, Text) else value
    except ValueError:
        raise expected from None
    if not isinstance(words, list) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise expected
    if words and not words[0]:
        raise expected
    return Command(words)


def store_url(value: object) -> str:
    """The address of a SQLite file or of a PostgreSQL database, or nothing."""
    if string(value) and not STORE_URL.fullmatch(string(value)):
        raise ValueError('"sqlite:////path/to/file.db" or "postgresql+psycopg://user@host/database"')
    return string(value)


def web_url(value: object) -> str:
    """A URL, or nothing."""
    if string(value) and urlsplit(string(value)).scheme not in ("http", "https"):
        raise ValueError("an http:// or https:// URL, or an empty string")
    return string(value)


def addresses(value: object) -> tuple[str, ...]:
    """A list of URLs; in the environment with blanks between."""
    items = value.split() if isinstance(value, Text) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and "://" in item for item in items):
        raise ValueError('a list of URLs such as ["ntfys://ntfy.example.com/contacts"]')
    return tuple(items)


def time_of_day(value: object) -> time:
    """Hours and minutes."""
    found = TIME_OF_DAY.fullmatch(string(value))
    if found is None:
        raise ValueError('a time of day such as "08:00"')
    return time(int(found[1]), int(found[2]))
