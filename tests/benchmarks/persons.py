"""An address book of made-up people in Google's JSON, about 2.6 KB each: the same for the same number, always."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Any

import msgspec

GIVEN = ("Ada", "Björn", "Chiara", "Dmitri", "Elif", "François", "Grace", "Hiroshi", "Inês", "Jan", "Kofi", "Łucja")
FAMILY = ("Nakamura", "O'Neill", "Pérez", "Quist", "Rossi", "Schäfer", "Tan", "Usman", "Varga", "Weber", "Zieliński")
COMPANIES = ("Acme", "Globex", "Initech", "Umbrella", "Hooli", "Vandelay", "Tyrell", "Cyberdyne", "Wonka", "Gringotts")
STREETS = ("Hauptstraße", "Rue de la Paix", "Via Roma", "Calle Mayor", "Kungsgatan", "Long Acre", "Nowy Świat")
CITIES = ("Berlin", "Paris", "Roma", "Madrid", "Stockholm", "London", "Warszawa", "Budapest", "Lisboa", "Wien")
NOTE = "met at the conference in spring asked for the new offer call back before noon prefers mail likes old maps"
LABELS = ("myContacts", "starred", "19cb37f60aed8000", "3a1f5c7d0b2e4a69", "5d20c8e91f7a3b46")
ETAG = "%EigBAgMEBQYHCAkKCwwNDg8QERITFBUWFxkfISIjJCUmJy40NTc9Pj9AGgECIgw"


def person(number: int, generation: int = 0) -> bytes:
    """The JSON of the person with that number, as the `generation`-th change has left it."""
    chance = random.Random(number)  # repeatable, no secret
    source = f"{(number + 1) * 0x9E3779B97F4A7C15 % 2**63:x}"
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    etag = base64.b64encode(hashlib.sha256(f"{number} {generation}".encode()).digest()[:8]).decode()
    found: dict[str, Any] = {
        "resourceName": resource_name(number),
        "etag": ETAG + etag,
        "metadata": {
            "sources": [
                {"type": "CONTACT", "id": source, "etag": f"#{etag}", "updateTime": "2026-02-24T16:40:20.181599Z"}
            ],
            "objectType": "PERSON",
        },
        "names": _items(source, _name(given, family)),
        **_often(chance, source, given, family, number),
    }
    if generation:
        found["nicknames"] = _items(source, {"value": f"{given} the {generation}th"})
    return msgspec.json.encode(found)


def resource_name(number: int) -> str:
    """Google's name of the person with that number: the source's id in decimal."""
    return f"people/c{(number + 1) * 0x9E3779B97F4A7C15 % 2**63}"


def groups() -> bytes:
    """The JSON of a complete listing of labels."""
    listed = [
        {
            "resourceName": f"contactGroups/{label}",
            "groupType": "USER_CONTACT_GROUP" if label[0].isdigit() else "SYSTEM_CONTACT_GROUP",
            "name": label,
            "formattedName": label,
            "memberCount": 100,
        }
        for label in LABELS
    ]
    return msgspec.json.encode({"contactGroups": listed, "totalItems": len(listed), "nextSyncToken": "groups"})


def _often(chance: random.Random, source: str, given: str, family: str, number: int) -> dict[str, Any]:
    """What people have more or less often, in Google's order."""
    fields: dict[str, list[dict[str, Any]]] = {
        "photos": [{"url": f"https://lh3.googleusercontent.com/cm/{source * 4}=s100", "default": number % 3 > 0}],
        "birthdays": [{"date": {"year": 1950 + number % 60, "month": 1 + number % 12, "day": 1 + number % 28}}],
        "addresses": [_address(chance, kind) for kind in ("home", "work")[: chance.randint(0, 2)]],
        "emailAddresses": _emails(chance, given, family, number),
        "phoneNumbers": _phones(chance),
        "biographies": [{"value": " ".join(chance.choices(NOTE.split(), k=40)), "contentType": "TEXT_PLAIN"}],
        "urls": [{"value": f"https://www.example.com/{family}/{number}", "type": "homePage"}],
        "organizations": [{"name": f"{chance.choice(COMPANIES)} {number % 700}", "title": "Head of Maps"}],
        "events": [{"date": {"month": 1 + number % 12, "day": 5}, "type": "anniversary"}],
        "userDefined": [{"key": f"field {n}", "value": " ".join(chance.choices(NOTE.split(), k=4))} for n in range(2)],
    }
    shares = {
        "birthdays": 0.5,
        "biographies": 0.6,
        "urls": 0.4,
        "organizations": 0.7,
        "events": 0.3,
        "userDefined": 0.5,
    }
    kept = {name: _items(source, *items) for name, items in fields.items() if chance.random() < shares.get(name, 1)}
    return {name: items for name, items in kept.items() if items} | {"memberships": _memberships(chance, source)}


def _items(source: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    """The items with the metadata that each carries; the first is primary."""
    plain = {"source": {"type": "CONTACT", "id": source}}
    best = {"primary": True, **plain, "sourcePrimary": True}
    return [{"metadata": plain if position else best, **item} for position, item in enumerate(items)]


def _name(given: str, family: str) -> dict[str, str]:
    return {
        "displayName": f"{given} {family}",
        "familyName": family,
        "givenName": given,
        "displayNameLastFirst": f"{family}, {given}",
        "unstructuredName": f"{given} {family}",
    }


def _address(chance: random.Random, kind: str) -> dict[str, str]:
    street, city = f"{chance.choice(STREETS)} {chance.randint(1, 200)}", chance.choice(CITIES)
    return {
        "formattedValue": f"{street}\n{city}\nDE",
        "type": kind,
        "formattedType": kind.title(),
        "streetAddress": street,
        "city": city,
        "postalCode": str(chance.randint(10_000, 99_999)),
        "country": "DE",
        "countryCode": "DE",
    }


def _emails(chance: random.Random, given: str, family: str, number: int) -> list[dict[str, str]]:
    hosts = ("home", "work", "other")[: chance.randint(0, 3)]
    return [
        {"value": f"{given}.{family}.{number}@{host}.example.com".lower(), "type": host, "formattedType": host.title()}
        for host in hosts
    ]


def _phones(chance: random.Random) -> list[dict[str, str]]:
    kinds = ("mobile", "home", "work")[: chance.randint(0, 3)]
    numbers = [f"{chance.randint(10**8, 10**9 - 1)}" for _ in kinds]
    return [
        {"value": f"0{number}", "canonicalForm": f"+49{number}", "type": kind, "formattedType": kind.title()}
        for kind, number in zip(kinds, numbers, strict=True)
    ]


def _memberships(chance: random.Random, source: str) -> list[dict[str, Any]]:
    chosen = [LABELS[0], *(label for label in LABELS[1:] if chance.random() < 0.2)]
    return [
        {
            "metadata": {"source": {"type": "CONTACT", "id": source}},
            "contactGroupMembership": {
                "contactGroupId": label,
                "contactGroupResourceName": f"contactGroups/{label}",
            },
        }
        for label in chosen
    ]
