"""What a person is made of: conveniences turned into the fields of a Person, without metadata. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

_GIVEN = (
    "Ada",
    "Björn",
    "Chiara",
    "Dmitri",
    "Elif",
    "François",
    "Grace",
    "Hiroshi",
    "Inês",
    "Jan",
    "Kofi",
    "Łucja",
)
_FAMILY = (
    "Nakamura",
    "O'Neill",
    "Pérez",
    "Quist",
    "Rossi",
    "Schäfer",
    "Tan",
    "Usman",
    "Varga",
    "Weber",
    "Young",
)

Typed = str | tuple[str, str]  # a value, or a value and its type ("work", "mobile", any custom label)


class PersonFields(TypedDict, total=False):
    """The conveniences of `add_person` and `change_person`. `raw` is Person JSON: its keys replace what is
    there, None removes; items get their `metadata` unless they bring it. `labels`: names or resource names.
    """

    given_name: str
    family_name: str
    nickname: str
    emails: Sequence[Typed]
    phones: Sequence[Typed]
    organization: str
    job_title: str
    birthday: Mapping[str, int]
    notes: str
    labels: Sequence[str]
    raw: Mapping[str, Any]


def content_of(fields: PersonFields, before: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a person after `fields` were set over `before`; empty lists disappear, as on Google."""
    content = {**before, **_named(fields, before), **_listed(fields), **fields.get("raw", {})}
    return {name: value for name, value in content.items() if value}


def _named(fields: PersonFields, before: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if "given_name" in fields or "family_name" in fields:
        content["names"] = _names(fields, (before.get("names") or [{}])[0])
    if "organization" in fields or "job_title" in fields:
        content["organizations"] = _organizations(fields, (before.get("organizations") or [{}])[0])
    return content


def _names(fields: PersonFields, before: Mapping[str, Any]) -> list[dict[str, str]]:
    given = fields.get("given_name", before.get("givenName", ""))
    family = fields.get("family_name", before.get("familyName", ""))
    display = " ".join(filter(None, (given, family)))
    last_first = ", ".join(filter(None, (family, given)))
    name = {
        "displayName": display,
        "familyName": family,
        "givenName": given,
        "displayNameLastFirst": last_first,
    }
    return [_filled(name | {"unstructuredName": display})] if display else []


def _organizations(fields: PersonFields, before: Mapping[str, Any]) -> list[dict[str, str]]:
    name = fields.get("organization", before.get("name", ""))
    organization = _filled({"name": name, "title": fields.get("job_title", before.get("title", ""))})
    return [organization] if organization else []


def _listed(fields: PersonFields) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if "emails" in fields:
        content["emailAddresses"] = [_typed(email) for email in fields["emails"]]
    if "phones" in fields:
        content["phoneNumbers"] = [_phone(_typed(phone)) for phone in fields["phones"]]
    if "nickname" in fields:
        content["nicknames"] = [{"value": fields["nickname"]}] if fields["nickname"] else []
    if "notes" in fields:
        content["biographies"] = _biographies(fields["notes"])
    if "birthday" in fields:
        content["birthdays"] = [{"date": dict(fields["birthday"])}] if fields["birthday"] else []
    return content


def _biographies(notes: str) -> list[dict[str, str]]:
    return [{"value": notes, "contentType": "TEXT_PLAIN"}] if notes else []


def _typed(item: Typed) -> dict[str, str]:
    if isinstance(item, str):
        return {"value": item}
    value, kind = item
    return {"value": value, "type": kind, "formattedType": kind.capitalize()}


def _phone(phone: dict[str, str]) -> dict[str, str]:
    digits = re.sub(r"[ ().\-]", "", phone["value"])
    return phone | {"canonicalForm": digits} if re.fullmatch(r"\+[0-9]{7,15}", digits) else phone


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def default_photo(source_id: str) -> dict[str, Any]:
    """The generated monogram that every contact without a photo of its own has."""
    token = hashlib.sha256(source_id.encode()).hexdigest()[:40]
    return {"url": f"https://lh3.googleusercontent.com/cm/{token}=s100", "default": True}


def merged(kept: Mapping[str, Any], dropped: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a person that swallows another: its own fields, the other's addresses and numbers."""
    content = {**dropped, **kept}
    for name in ("emailAddresses", "phoneNumbers"):
        items = [*kept.get(name, ()), *dropped.get(name, ())]
        content[name] = list({item["value"]: item for item in items}.values())
    return {name: value for name, value in content.items() if value}


def plausible(number: int) -> PersonFields:
    """The `number`-th of many people one might know."""
    given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN) % len(_FAMILY)]
    return {
        "given_name": given,
        "family_name": family,
        "emails": [(f"person{number}@example.com", "work")],
        "phones": [(f"+49 30 {5_000_000 + number}", "mobile")],
        "organization": f"{family} & Co",
    }
