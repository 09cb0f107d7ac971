"""vCard 3.0 (RFC 2426), written by vobject, which escapes and folds; labels are CATEGORIES."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import vobject
from vobject.vcard import Address, Name

from contacts_sync.export.entry import Entry, Item, date_of, one_line, text_of
from contacts_sync.export.google_csv import photo_of

NAMELESS = "(no name)"
PLACES = {"home": ["HOME"], "work": ["WORK"]}
PHONES = {
    **PLACES,
    "mobile": ["CELL"],
    "workMobile": ["WORK", "CELL"],
    "homeFax": ["HOME", "FAX"],
    "workFax": ["WORK", "FAX"],
    "pager": ["PAGER"],
    "workPager": ["WORK", "PAGER"],
    "main": ["PREF"],
}
PHONETIC = {
    "X-PHONETIC-FIRST-NAME": "phoneticGivenName",
    "X-PHONETIC-MIDDLE-NAME": "phoneticMiddleName",
    "X-PHONETIC-LAST-NAME": "phoneticFamilyName",
}
UNLABELLED = {"", "other", "home", "work"}


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """One card an entry, with CRLF line ends."""
    for entry in entries:
        yield _Card(entry).text()


class _Card:
    """One card; custom labels tie a value and its label together by a group name (`item1`), as address books do."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._card = vobject.vCard()
        self._groups = 0

    def text(self) -> str:
        self._names()
        self._reachable()
        self._about()
        self._add("uid", self._entry.uid)
        self._add("categories", [label for name in self._entry.labels if (label := one_line(name))])
        text: str = self._card.serialize()
        return text

    def _names(self) -> None:
        name = self._entry.first("names")
        self._add("fn", one_line(self._entry.display_name or "") or NAMELESS)
        parts = {
            "family": "familyName",
            "given": "givenName",
            "additional": "middleName",
            "prefix": "honorificPrefix",
            "suffix": "honorificSuffix",
        }
        self._add("n", Name(**{part: text_of(name, field) for part, field in parts.items()}))
        for property_, field in PHONETIC.items():
            self._add(property_, text_of(name, field))
        self._add("nickname", text_of(self._entry.first("nicknames"), "value"))

    def _reachable(self) -> None:
        for item in self._entry.items("emailAddresses"):
            self._labelled("email", item, text_of(item, "value"), ["INTERNET", *PLACES.get(text_of(item, "type"), [])])
        for item in self._entry.items("phoneNumbers"):
            self._labelled("tel", item, text_of(item, "value"), PHONES.get(text_of(item, "type"), ["VOICE"]))
        for item in self._entry.items("addresses"):
            self._labelled("adr", item, _address(item), PLACES.get(text_of(item, "type"), []))
        for item in self._entry.items("urls"):
            self._labelled("url", item, text_of(item, "value"), [])
        for item in self._entry.items("imClients"):
            protocol, name = text_of(item, "protocol"), text_of(item, "username")
            self._add("impp", f"{protocol}:{name}" if protocol and name else name)

    def _about(self) -> None:
        entry = self._entry
        organization = entry.first("organizations")
        parts = [text_of(organization, part) for part in ("name", "department")]
        if any(parts):
            self._add("org", parts if parts[1] else parts[:1])
        self._add("title", text_of(organization, "title"))
        self._add("bday", date_of(entry.first("birthdays")))
        self._add("note", text_of(entry.first("biographies"), "value"))
        photo = photo_of(entry)
        if photo:
            self._add("photo", photo).value_param = "URI"
        for item in entry.items("events"):
            self._labelled("x-abdate", item, date_of(item), [])
        for item in entry.items("relations"):
            self._labelled("x-abrelatednames", item, text_of(item, "person"), [])

    def _labelled(self, property_: str, item: Item, value: Any, kinds: list[str]) -> None:
        label = one_line(text_of(item, "type"))
        line = self._add(property_, value)
        if line is None:
            return
        if kinds:
            line.type_param = kinds
        if label not in UNLABELLED and label not in PHONES:
            self._groups += 1
            line.group = f"item{self._groups}"
            self._add("x-ablabel", label).group = line.group

    def _add(self, property_: str, value: Any) -> Any:
        """The new line, or None where there is nothing to say."""
        if not value:
            return None
        line = self._card.add(property_)
        line.value = value
        return line


def _address(item: Item) -> Address | None:
    parts = {
        "street": "streetAddress",
        "city": "city",
        "region": "region",
        "code": "postalCode",
        "country": "country",
        "box": "poBox",
        "extended": "extendedAddress",
    }
    found = {part: text_of(item, field) for part, field in parts.items()}
    if not any(found.values()):
        found["street"] = text_of(item, "formattedValue")
    return Address(**found) if any(found.values()) else None
