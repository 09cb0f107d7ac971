"""Google's bytes -> our nouns. Pure.

A page is decoded once; each person's bytes are kept as they came. Every field is optional, unknown fields and enum
values stay in the payload, and a person whose fields have unexpected types loses only those fields' columns.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from contacts_sync.errors import PassingTrouble
from contacts_sync.google.storable import storable
from contacts_sync.model import Email, Group, Groups, Page, Person, Phone

CONTACT = "CONTACT"
OWN = ("", CONTACT)
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
LEAP_YEAR = 2024
LONGEST_KEY = 400  # characters: what PostgreSQL's indexes can hold, beside a user id, in whatever script
LONGEST_EMAIL = 600  # in a column; the payload has it whole

Key = Annotated[str, msgspec.Meta(max_length=LONGEST_KEY)]


class _Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Nothing here can refer to itself: the garbage collector needn't look."""


class _Source(_Struct, frozen=True):
    type: str = ""
    id: Key = ""
    etag: str | None = None


class _ItemSource(_Struct, frozen=True):
    type: str = ""


class _ItemMetadata(_Struct, frozen=True):
    primary: bool = False
    source_primary: bool = False
    source: _ItemSource = _ItemSource()


class _Item(_Struct, frozen=True):
    metadata: _ItemMetadata = _ItemMetadata()


class _Name(_Item, frozen=True):
    display_name: str | None = None
    unstructured_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class _Value(_Item, frozen=True):
    value: str | None = None
    type: str | None = None
    canonical_form: Key | None = None


class _Organization(_Item, frozen=True):
    name: str | None = None
    title: str | None = None


class _Date(_Struct, frozen=True):
    year: int = 0
    month: int = 0
    day: int = 0


class _Birthday(_Item, frozen=True):
    date: _Date = _Date()
    text: str | None = None


class _Photo(_Item, frozen=True):
    url: str | None = None
    default: bool = False


class _GroupMembership(_Struct, frozen=True):
    contact_group_resource_name: str | None = None


class _Membership(_Item, frozen=True):
    contact_group_membership: _GroupMembership = _GroupMembership()


class _Metadata(_Struct, frozen=True):
    sources: list[_Source] = []
    deleted: bool = False
    previous_resource_names: list[str] = []


class _Person(_Struct, frozen=True):
    """The fields that columns are made of."""

    resource_name: Key = ""
    metadata: _Metadata = _Metadata()
    names: list[_Name] = []
    nicknames: list[_Value] = []
    email_addresses: list[_Value] = []
    phone_numbers: list[_Value] = []
    organizations: list[_Organization] = []
    birthdays: list[_Birthday] = []
    biographies: list[_Value] = []
    photos: list[_Photo] = []
    memberships: list[_Membership] = []


class _Connections(_Struct, frozen=True):
    connections: list[msgspec.Raw] | None = None
    total_items: Any = None
    next_page_token: str | None = None
    next_sync_token: str | None = None
    error: msgspec.Raw | None = None


class _ContactGroup(_Struct, frozen=True):
    resource_name: Key = ""
    name: str = ""
    formatted_name: str = ""
    group_type: str = ""
    metadata: _Metadata = _Metadata()


class _ContactGroups(_Struct, frozen=True):
    contact_groups: list[msgspec.Raw] | None = None
    next_page_token: str | None = None
    next_sync_token: str | None = None
    error: msgspec.Raw | None = None


# msgspec learns a type at its first use, and takes the process down (a null pointer in 0.22.0, about one time in ten)
# if several threads come first at once, as workers do after a start. So it learns here, where only one is importing.
for _learned in (_Connections, _ContactGroups):
    msgspec.json.Decoder(_learned)
CONTACT_GROUP, PERSON = msgspec.json.Decoder(_ContactGroup), msgspec.json.Decoder(_Person)

Listing = TypeVar("Listing", _Connections, _ContactGroups)
Decoded = TypeVar("Decoded", bound=_Struct)
Item = TypeVar("Item", bound=_Item)


def page_of(body: bytes) -> Page:
    """A page of `people.connections.list`. Raises `PassingTrouble` for what is no such page."""
    answer = _listing(body, _Connections, b'"connections"')
    entries: list[Person | str] = []
    unreadable: list[str] = []
    for raw in answer.connections or []:
        entry = _entry(bytes(raw))
        if entry is None:
            unreadable.append(bytes(raw).decode())
        else:
            entries.append(entry)
    return Page(
        entries=tuple(entries),
        next_page_token=answer.next_page_token or None,
        next_sync_token=answer.next_sync_token or None,
        unreadable=tuple(unreadable),
        total=answer.total_items if isinstance(answer.total_items, int) else None,
    )


def groups_of(body: bytes) -> tuple[Groups, str | None]:
    """A page of `contactGroups.list` and the token of the next one. Raises `PassingTrouble`."""
    answer = _listing(body, _ContactGroups, b'"contactGroups"')
    found = [_decoded(bytes(raw), CONTACT_GROUP) for raw in answer.contact_groups or []]
    groups = tuple(_group(one) for one in found if one.resource_name and not one.metadata.deleted)
    return Groups(groups, answer.next_sync_token or None), answer.next_page_token or None


def _listing(body: bytes, wanted: type[Listing], key: bytes) -> Listing:
    try:
        if body.count(key) > 1:  # else, as nearly always, it can't be there twice
            json.loads(body, object_pairs_hook=_each_once)
        answer = msgspec.json.decode(storable(body), type=wanted)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise PassingTrouble(f"Google's answer is not the JSON expected ({type(error).__name__})") from None
    if answer.error is not None:
        raise PassingTrouble("Google's answer is an error that says it is none (HTTP 200)")
    return answer


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    """Which of two lists under one name counts is anybody's guess (RFC 8259 section 4), and the other would be lost."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice in an object")


def _decoded(raw: bytes, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    """What fits of an object: with unexpected types it loses only the fields that have them."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        return _leniently(raw, decoder.type) or decoder.type()


def _leniently(raw: bytes | msgspec.Raw, wanted: type[Decoded]) -> Decoded | None:
    """Field by field; None for what is no object."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return None
    known = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    fitting = {
        known[name].name: value
        for name, text in fields.items()
        if name in known and (value := _fitting(text, known[name].type)) is not None
    }
    return wanted(**fitting)


def _fitting(text: msgspec.Raw, wanted: Any) -> Any:
    """The value if it has the type wanted, else what is left of a list or an object, else None."""
    try:
        return msgspec.json.decode(text, type=wanted)
    except msgspec.ValidationError:
        pass
    if get_origin(wanted) is list:
        return _fitting_items(text, get_args(wanted)[0])
    return _leniently(text, wanted) if isinstance(wanted, type) and issubclass(wanted, _Struct) else None


def _fitting_items(text: msgspec.Raw, wanted: Any) -> list[Any] | None:
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return None
    return [item for one in items if (item := _fitting(one, wanted)) is not None]


def _group(found: _ContactGroup) -> Group:
    kind = "system" if found.group_type == "SYSTEM_CONTACT_GROUP" else "user"
    return Group(found.resource_name, found.name or found.formatted_name or found.resource_name, kind)


# -- people


def _entry(raw: bytes) -> Person | str | None:
    """A person, the resource name of a tombstone (which has no other fields), or None for a nameless item."""
    found = _decoded(raw, PERSON)
    if not found.resource_name:
        return None
    return found.resource_name if found.metadata.deleted else _person(found, raw)


def _person(found: _Person, raw: bytes) -> Person:
    name = _best(found.names)
    organization = _best(found.organizations)
    emails, phones = _emails(found), _phones(found)
    source_id, etag = _identity(found)
    return Person(
        resource_name=found.resource_name,
        source_id=source_id,
        etag=etag,
        payload=raw.decode(),
        display_name=_display_name(name, organization, emails, phones),
        given_name=name.given_name if name else None,
        family_name=name.family_name if name else None,
        nickname=_text(found.nicknames),
        organization=organization.name if organization else None,
        job_title=organization.title if organization else None,
        birthday=_birthday(_best(found.birthdays)),
        notes=_text(found.biographies),
        photo_url=_photo_url(found.photos),
        emails=emails,
        phones=phones,
        memberships=_memberships(found),
        previous_resource_names=tuple(filter(None, found.metadata.previous_resource_names)),
    )


def _identity(found: _Person) -> tuple[str | None, str | None]:
    """The CONTACT source's id and etag. A merged contact has several sources: the one its resource name is made of
    gives the id, and all their etags, in a fixed order, tell whether it changed.
    """
    sources = [source for source in found.metadata.sources if source.type == CONTACT]
    if len(sources) == 1:
        return sources[0].id or None, sources[0].etag or None
    return _merged_identity(found.resource_name, sources) if sources else (None, None)


def _merged_identity(resource_name: str, sources: list[_Source]) -> tuple[str | None, str | None]:
    named = next((one for one in sources if resource_name == resource_name_of(one.id)), sources[0])
    etags = [one.etag or "" for one in sorted(sources, key=lambda source: source.id)]
    return named.id or None, "+".join(etags) if all(etags) else None


def resource_name_of(source_id: str) -> str:
    """The name that a contact mostly has: it holds the CONTACT source's hexadecimal id in decimal. Empty for no id."""
    try:
        return f"people/c{int(source_id, 16)}"
    except ValueError:
        return ""


def _own(items: list[Item]) -> list[Item]:
    """The items of the contact itself, not those of the person's own profile."""
    return [item for item in items if item.metadata.source.type in OWN]


def _best_first(items: list[Item]) -> list[Item]:
    own = _own(items)
    return sorted(own, key=_rank) if len(own) > 1 else own


def _rank(item: _Item) -> tuple[bool, bool]:
    return not item.metadata.source_primary, not item.metadata.primary


def _best(items: list[Item]) -> Item | None:
    """The item that counts; of most fields people have one or none."""
    if not items:
        return None
    best_first = items if len(items) == 1 and items[0].metadata.source.type in OWN else _best_first(items)
    return best_first[0] if best_first else None


def _text(items: list[_Value]) -> str | None:
    best = _best(items)
    return best.value if best else None


def _photo_url(photos: list[_Photo]) -> str | None:
    """A photo that somebody chose: Google's monograms are marked as default."""
    chosen = [photo for photo in photos if photo.url and not photo.default]
    best = _best(chosen)
    return best.url if best else None


def _display_name(
    name: _Name | None,
    organization: _Organization | None,
    emails: tuple[Email, ...],
    phones: tuple[Phone, ...],
) -> str | None:
    if name and name.display_name and not name.display_name.isspace():
        return name.display_name
    candidates = [name.unstructured_name, _whole(name)] if name else []
    candidates.append(organization.name if organization else None)
    candidates += [email.value for email in emails[:1]] + [phone.value for phone in phones[:1]]
    return next((candidate for candidate in candidates if candidate and candidate.strip()), None)


def _whole(name: _Name) -> str:
    return " ".join(part for part in (name.given_name, name.family_name) if part)


# Most of a page's items are these: what `_own` and a name for "primary" would make clearer costs a third of their time.
def _emails(found: _Person) -> tuple[Email, ...]:
    return tuple(
        [
            Email(one.value[:LONGEST_EMAIL], one.type, one.metadata.source_primary or one.metadata.primary)
            for one in found.email_addresses
            if one.value and one.metadata.source.type in OWN
        ]
    )


def _phones(found: _Person) -> tuple[Phone, ...]:
    return tuple(
        [
            Phone(one.value, one.canonical_form, one.type, one.metadata.source_primary or one.metadata.primary)
            for one in found.phone_numbers
            if one.value and one.metadata.source.type in OWN
        ]
    )


def _memberships(found: _Person) -> frozenset[str]:
    return frozenset(
        [
            name
            for one in found.memberships
            if (name := one.contact_group_membership.contact_group_resource_name) and one.metadata.source.type in OWN
        ]
    )


def _birthday(item: _Birthday | None) -> str | None:
    """`YYYY-MM-DD`, or `--MM-DD` without a year; None for what is no day. Google leaves out what is zero."""
    if item is None:
        return None
    given = item.date
    try:
        day = date(given.year or LEAP_YEAR, given.month, given.day)
    except (ValueError, OverflowError):
        return _iso_text(item.text)
    return day.isoformat() if given.year else f"--{day:%m-%d}"


def _iso_text(text: str | None) -> str | None:
    """The deprecated free text, where it happens to be a date."""
    try:
        return date.fromisoformat(text).isoformat() if text and ISO_DATE.fullmatch(text) else None
    except ValueError:
        return None
