"""A contact to be exported, and careful reading of Google's Person JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
Item = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A contact: `uid` is stable, `payload` Google's Person as JSON text, `labels` the names of the user's labels,
    `system_labels` Google's own (`myContacts`, `starred`).
    """

    uid: str
    resource_name: str
    display_name: str | None
    payload: str
    labels: tuple[str, ...] = ()
    system_labels: tuple[str, ...] = ()

    @cached_property
    def person(self) -> dict[str, Any]:
        """The payload, parsed."""
        found: dict[str, Any] = json.loads(self.payload)
        return found

    def items(self, field: str) -> list[Item]:
        """The contact's own items of a field, the primary one first; items of its Google profile are left out."""
        listed = self.person.get(field)
        own = [one for one in listed if isinstance(one, dict) and _is_own(one)] if isinstance(listed, list) else []
        return sorted(own, key=lambda one: not _is_primary(one))

    def first(self, field: str) -> Item:
        """The primary item of a field, or an empty one."""
        return next(iter(self.items(field)), {})


def sort_key(entry: Entry) -> tuple[str, str]:
    """By name, as people sort, and by resource name where names are equal."""
    return unicodedata.normalize("NFKD", entry.display_name or "").casefold(), entry.resource_name


def text_of(item: Item, name: str) -> str:
    """A text value, with line ends as newlines and without other control characters."""
    value = item.get(name)
    return cleaned(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def cleaned(text: str) -> str:
    """Text with line ends as newlines and without other control characters."""
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Cleaned text on one line, for names and labels."""
    return " ".join(cleaned(text).split())


def date_of(item: Item) -> str:
    """`YYYY-MM-DD`, or `--MM-DD` without a year; empty for what is no day."""
    date = item.get("date")
    year, month, day = (_number(date, part) for part in ("year", "month", "day"))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return ""
    return f"{year:04}-{month:02}-{day:02}" if 0 < year <= 9999 else f"--{month:02}-{day:02}"


def _number(date: object, part: str) -> int:
    value = date.get(part) if isinstance(date, dict) else None
    return value if isinstance(value, int) else 0


def _metadata(item: Item) -> Item:
    metadata = item.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _is_own(item: Item) -> bool:
    source = _metadata(item).get("source")
    return not isinstance(source, dict) or source.get("type", "CONTACT") == "CONTACT"


def _is_primary(item: Item) -> bool:
    return bool(_metadata(item).get("sourcePrimary") or _metadata(item).get("primary"))
