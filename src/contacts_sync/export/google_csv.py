"""Google Contacts' own CSV columns, so that its import takes the file back. Cells can't become formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from contacts_sync.export.entry import Entry, Item, date_of, one_line, text_of

NAMES = {
    "First Name": "givenName",
    "Middle Name": "middleName",
    "Last Name": "familyName",
    "Phonetic First Name": "phoneticGivenName",
    "Phonetic Middle Name": "phoneticMiddleName",
    "Phonetic Last Name": "phoneticFamilyName",
    "Name Prefix": "honorificPrefix",
    "Name Suffix": "honorificSuffix",
}
SINGLE = (
    "Nickname",
    "File As",
    "Organization Name",
    "Organization Title",
    "Organization Department",
    "Birthday",
    "Notes",
    "Photo",
    "Labels",
)
ADDRESS = {
    "Street": "streetAddress",
    "City": "city",
    "PO Box": "poBox",
    "Region": "region",
    "Postal Code": "postalCode",
    "Country": "country",
    "Extended Address": "extendedAddress",
}
REPEATED = {  # column group -> the person's field and the parts of a group
    "E-mail": ("emailAddresses", ("Label", "Value")),
    "Phone": ("phoneNumbers", ("Label", "Value")),
    "Address": ("addresses", ("Label", "Formatted", *ADDRESS)),
    "Event": ("events", ("Label", "Value")),
    "Relation": ("relations", ("Label", "Value")),
    "Website": ("urls", ("Label", "Value")),
    "Custom Field": ("userDefined", ("Label", "Value")),
}
BETWEEN = " ::: "
PHONE = re.compile(r"[+-]?[0-9 ().\-/x#*,;]+")


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """The header and one line (with CRLF) an entry; as many numbered columns as the fullest entry needs."""
    listed = list(entries)
    columns = {
        group: max((len(one.items(field)) for one in listed), default=0) for group, (field, _) in REPEATED.items()
    }
    columns = {group: max(1, count) if group in ("E-mail", "Phone") else count for group, count in columns.items()}
    yield _line(_header(columns))
    for entry in listed:
        yield _line([_safe(cell) for cell in _cells(entry, columns)])


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _safe(cell: str) -> str:
    """No spreadsheet takes the cell for a formula; a phone number keeps its leading plus."""
    if cell[:1] in ("=", "@", "\t", "\r", "\n") or (cell[:1] in ("+", "-") and not PHONE.fullmatch(cell)):
        return f"'{cell}"
    return cell


def _header(columns: dict[str, int]) -> list[str]:
    numbered = [
        f"{group} {number} - {part}"
        for group, count in columns.items()
        for number in range(1, count + 1)
        for part in REPEATED[group][1]
    ]
    return [*NAMES, *SINGLE, *numbered]


def _cells(entry: Entry, columns: dict[str, int]) -> list[str]:
    name, organization = entry.first("names"), entry.first("organizations")
    cells = [text_of(name, field) for field in NAMES.values()]
    cells += [
        text_of(entry.first("nicknames"), "value"),
        "",
        *(text_of(organization, part) for part in ("name", "title", "department")),
        date_of(entry.first("birthdays")),
        text_of(entry.first("biographies"), "value"),
        photo_of(entry),
        BETWEEN.join([*map(one_line, entry.labels), *(f"* {label}" for label in entry.system_labels)]),
    ]
    for group, count in columns.items():
        items = entry.items(REPEATED[group][0])
        for number in range(count):
            cells += _group(group, items[number] if number < len(items) else {})
    return cells


def photo_of(entry: Entry) -> str:
    """The address of the contact's photo; none for a generated monogram."""
    return next((text_of(photo, "url") for photo in entry.items("photos") if not photo.get("default")), "")


def _group(group: str, item: Item) -> list[str]:
    if group == "Address":
        return [_label(item), text_of(item, "formattedValue"), *(text_of(item, part) for part in ADDRESS.values())]
    if group == "Event":
        return [_label(item), date_of(item)]
    if group == "Relation":
        return [_label(item), text_of(item, "person")]
    if group == "Custom Field":
        return [text_of(item, "key"), text_of(item, "value")]
    return [_label(item), text_of(item, "value")]


def _label(item: Item) -> str:
    """Google shows its own types with a capital."""
    kind = text_of(item, "type")
    return kind.capitalize() if kind in ("home", "work", "mobile", "other", "main") else kind
