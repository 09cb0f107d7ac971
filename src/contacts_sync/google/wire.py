"""Google's bytes -> our nouns. Pure.

A page is decoded once; each person's bytes are kept as they came. Every field is optional, unknown fields and enum
values stay in the payload, and a person whose fields have unexpected types loses only those fields' columns.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from contacts_sync.errors import PassingTrouble
from contacts_sync.model import Email, Group, Groups, Page, Person, Phone

CONTACT = "CONTACT"
UNSTORABLE = (rb"\u0000", rb"\ud", rb"\uD")
ESCAPE = re.compile(  # good: a surrogate pair, or any other escape; else U+0000 or a lone surrogate
    rb"(?P<good>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)"
)
REPLACEMENT = rb"\ufffd"
LEAP_YEAR = 2024


class _Struct(msgspec.Struct, rename="camel"):
    pass


class _Source(_Struct):
    type: str = ""
    id: str = ""
    etag: str | None = None


class _ItemMetadata(_Struct):
    primary: bool = False
    source_primary: bool = False
    source: _Source = _Source()


class _Item(_Struct):
    metadata: _ItemMetadata = _ItemMetadata()


class _Name(_Item):
    display_name: str | None = None
    unstructured_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class _Value(_Item):
    value: str | None = None
    type: str | None = None
    canonical_form: str | None = None


class _Organization(_Item):
    name: str | None = None
    title: str | None = None


class _Date(_Struct):
    year: int = 0
    month: int = 0
    day: int = 0


class _Birthday(_Item):
    date: _Date = _Date()
    text: str | None = None


class _Photo(_Item):
    url: str | None = None
    default: bool = False


class _GroupMembership(_Struct):
    contact_group_resource_name: str | None = None


class _Membership(_Item):
    contact_group_membership: _GroupMembership = _GroupMembership()


class _Metadata(_Struct):
    sources: list[_Source] = []
    deleted: bool = False
    previous_resource_names: list[str] = []


class _Person(_Struct):
    """The fields that columns are made of."""

    resource_name: str = ""
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


class _Connections(_Struct):
    connections: list[msgspec.Raw] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None


class _ContactGroup(_Struct):
    resource_name: str = ""
    name: str = ""
    formatted_name: str = ""
    group_type: str = ""


class _ContactGroups(_Struct):
    contact_groups: list[_ContactGroup] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None


Decoded = TypeVar("Decoded", bound=_Struct)
Item = TypeVar("Item", bound=_Item)
_PERSON = msgspec.json.Decoder(_Person)
_RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def page_of(body: bytes) -> Page:
    """A page of `people.connections.list`. Raises `PassingTrouble` for what is no such page."""
    answer = _decode(_storable(body), _Connections)
    entries = [entry for raw in answer.connections if (entry := _entry(bytes(raw))) is not None]
    return Page(
        entries=tuple(entries),
        next_page_token=answer.next_page_token or None,
        next_sync_token=answer.next_sync_token or None,
        unreadable=len(answer.connections) - len(entries),
    )


def groups_of(body: bytes) -> tuple[Groups, str | None]:
    """A page of `contactGroups.list` and the token of the next one. Raises `PassingTrouble`."""
    answer = _decode(_storable(body), _ContactGroups)
    groups = tuple(_group(one) for one in answer.contact_groups if one.resource_name)
    return Groups(groups, answer.next_sync_token or None), answer.next_page_token or None


def _decode(body: bytes, wanted: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(body, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PassingTrouble(f"Google's answer is not the JSON expected ({type(error).__name__})") from None


def _storable(body: bytes) -> bytes:
    """Replace what no store can hold: bytes that are no UTF-8, U+0000 and lone surrogates become U+FFFD."""
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    if any(sign in body for sign in UNSTORABLE):
        return ESCAPE.sub(lambda found: found[0] if found["good"] or found["other"] else REPLACEMENT, body)
    return body


def _group(found: _ContactGroup) -> Group:
    kind = "system" if found.group_type == "SYSTEM_CONTACT_GROUP" else "user"
    return Group(found.resource_name, found.name or found.formatted_name, kind)


# -- people


def _entry(raw: bytes) -> Person | str | None:
    """A person, the resource name of a tombstone (which has no other fields), or None for a nameless item."""
    try:
        found = _PERSON.decode(raw)
    except msgspec.ValidationError:
        found = _leniently(raw)
    if not found.resource_name:
        return None
    return found.resource_name if found.metadata.deleted else _person(found, raw)


def _leniently(raw: bytes) -> _Person:
    """Field by field, item by item: what doesn't fit is left to the payload."""
    try:
        fields = _RAW_FIELDS.decode(raw)
    except msgspec.ValidationError:
        return _Person()
    wanted = {field.encode_name: field for field in msgspec.structs.fields(_Person)}
    fitting = {
        wanted[name].name: value
        for name, text in fields.items()
        if name in wanted and (value := _fitting(text, wanted[name].type)) is not None
    }
    return _Person(**fitting)


def _fitting(text: msgspec.Raw, wanted: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=wanted)
    except msgspec.ValidationError:
        pass
    if get_origin(wanted) is not list:
        return None
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return None
    return [item for one in items if (item := _fitting(one, get_args(wanted)[0])) is not None]


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
        photo_url=next((photo.url for photo in _own(found.photos) if photo.url and not photo.default), None),
        emails=emails,
        phones=phones,
        memberships=_memberships(found),
        previous_resource_names=tuple(name for name in found.metadata.previous_resource_names if name),
    )


def _identity(found: _Person) -> tuple[str | None, str | None]:
    """The CONTACT source's id and etag. A merged contact has several: the one its resource name is made of comes
    first, and all their etags tell whether it changed.
    """
    sources = [source for source in found.metadata.sources if source.type == CONTACT]
    sources.sort(key=lambda source: found.resource_name != _resource_name(source.id))
    etags = [source.etag for source in sources if source.etag]
    source_id = sources[0].id or None if sources else None
    return source_id, "+".join(etags) if etags and len(etags) == len(sources) else None


def _resource_name(source_id: str) -> str:
    """A resource name holds the CONTACT source's hexadecimal id in decimal."""
    try:
        return f"people/c{int(source_id, 16)}"
    except ValueError:
        return ""


def _own(items: list[Item]) -> list[Item]:
    """The items of the contact itself, not those of the person's own profile."""
    return [item for item in items if item.metadata.source.type in ("", CONTACT)]


def _best(items: list[Item]) -> Item | None:
    own = sorted(_own(items), key=lambda item: (not item.metadata.source_primary, not item.metadata.primary))
    return own[0] if own else None


def _text(items: list[_Value]) -> str | None:
    best: _Value | None = _best(items)
    return best.value if best else None


def _display_name(
    name: _Name | None,
    organization: _Organization | None,
    emails: tuple[Email, ...],
    phones: tuple[Phone, ...],
) -> str | None:
    candidates = [name.display_name, name.unstructured_name, _whole(name)] if name else []
    candidates.append(organization.name if organization else None)
    candidates += [one.value for one in (*emails[:1], *phones[:1])]
    return next((candidate for candidate in candidates if candidate and candidate.strip()), None)


def _whole(name: _Name) -> str:
    return " ".join(part for part in (name.given_name, name.family_name) if part)


def _emails(found: _Person) -> tuple[Email, ...]:
    return tuple(Email(one.value, one.type, _is_primary(one)) for one in _own(found.email_addresses) if one.value)


def _phones(found: _Person) -> tuple[Phone, ...]:
    return tuple(
        Phone(one.value, one.canonical_form, one.type, _is_primary(one))
        for one in _own(found.phone_numbers)
        if one.value
    )


def _is_primary(item: _Item) -> bool:
    return item.metadata.source_primary or item.metadata.primary


def _memberships(found: _Person) -> frozenset[str]:
    groups = (one.contact_group_membership.contact_group_resource_name for one in found.memberships)
    return frozenset(group for group in groups if group)


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
        return date.fromisoformat(text).isoformat() if text else None
    except ValueError:
        return None
