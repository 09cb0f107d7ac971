"""Cutting long lists of values into pieces that fit one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

LONGEST = 500

Item = TypeVar("Item")


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in order, some hundreds at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, LONGEST)):
        yield chunk
