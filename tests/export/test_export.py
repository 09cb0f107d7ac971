"""What leaves as a file comes back whole in programs nobody here wrote, and does no harm in them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import vobject
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.export import google_csv, json_lines, vcard
from contacts_sync.export.entry import Entry, sort_key
from tests.carddav import SOMEBODY, address_book

RICH: dict[str, Any] = {
    "resourceName": "people/c1",
    "names": [
        {"displayName": "Dr. Ada Lovelace", "givenName": "Ada", "familyName": "Lovelace", "honorificPrefix": "Dr."}
    ],
    "nicknames": [{"value": "Countess"}],
    "emailAddresses": [{"value": "ada@x.example", "type": "work"}, {"value": "a@y.example", "type": "Engine room"}],
    "phoneNumbers": [{"value": "+44 20 7946 0000", "type": "mobile"}, {"value": "112", "type": "homeFax"}],
    "addresses": [{"streetAddress": "1 Road", "city": "London", "countryCode": "GB", "country": "UK", "type": "home"}],
    "organizations": [{"name": "Engines; Ltd", "title": "Analyst", "department": "R, D"}],
    "birthdays": [{"date": {"month": 12, "day": 10}}],
    "biographies": [{"value": "First line\nsecond, line; with \\ signs"}],
    "photos": [{"url": "https://x.example/photo"}],
    "urls": [{"value": "x.example"}],
    "events": [{"type": "anniversary", "date": {"year": 1835, "month": 7, "day": 8}}],
    "relations": [{"person": "William", "type": "spouse"}],
    "userDefined": [{"key": "Shoe size", "value": "38"}],
}


def entry(person: dict[str, Any] | None = None, name: str | None = "Dr. Ada Lovelace", *labels: str) -> Entry:
    return Entry("uid-1", "people/c1", name, json.dumps(RICH if person is None else person), labels, ("myContacts",))


def card(one: Entry) -> Any:
    """Read back, strictly, by vobject."""
    return vobject.readOne("".join(vcard.lines([one])))


def cells(one: Entry) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO("".join(google_csv.lines([one])), newline=""))
    return row


def test_a_rich_contact_is_carried_whole_as_a_vcard() -> None:
    read = card(entry(None, "Dr. Ada Lovelace", "Family", "Pioneers, all"))
    assert (read.fn.value, read.n.value.family, read.n.value.given) == ("Dr. Ada Lovelace", "Lovelace", "Ada")
    assert [line.value for line in read.email_list] == ["ada@x.example", "a@y.example"]
    assert read.email_list[0].params["TYPE"] == ["INTERNET", "WORK"]
    assert [line.value for line in read.tel_list] == ["+44 20 7946 0000", "112"]
    assert read.tel_list[1].params["TYPE"] == ["HOME", "FAX"]
    assert (read.bday.value, read.org.value, read.title.value) == ("--12-10", ["Engines; Ltd", "R, D"], "Analyst")
    assert read.note.value == RICH["biographies"][0]["value"]
    assert read.categories.value == ["Family", "Pioneers, all"]
    assert (read.uid.value, read.photo.params["VALUE"]) == ("uid-1", ["URI"])
    assert {line.value for line in read.contents["x-ablabel"]} == {"Engine room", "anniversary", "spouse"}


def test_lines_are_folded_and_end_with_crlf() -> None:
    text = "".join(vcard.lines([entry({"resourceName": "x", "biographies": [{"value": "é" * 300}]})]))
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")


def test_a_nameless_contact_and_a_monogram_are_no_problem() -> None:
    read = card(entry({"resourceName": "x", "photos": [{"url": "https://x/m", "default": True}]}, None))
    assert (read.fn.value, "photo" in read.contents) == ("(no name)", False)


def test_googles_columns_hold_the_contact() -> None:
    row = cells(entry(None, "Dr. Ada Lovelace", "Family", "Work"))
    assert (row["First Name"], row["Last Name"], row["Name Prefix"]) == ("Ada", "Lovelace", "Dr.")
    assert (row["E-mail 1 - Label"], row["E-mail 1 - Value"]) == ("Work", "ada@x.example")
    assert (row["Phone 1 - Label"], row["Phone 1 - Value"]) == ("Mobile", "+44 20 7946 0000")
    assert row["Labels"] == "Family ::: Work ::: * myContacts"
    assert (row["Birthday"], row["Organization Department"]) == ("--12-10", "R, D")
    assert (row["Custom Field 1 - Label"], row["Custom Field 1 - Value"]) == ("Shoe size", "38")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "@SUM(1)", "+cmd|'x", "-2+3+cmd", "\t=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    row = cells(entry({"resourceName": "x", "names": [{"givenName": name}]}))
    assert row["First Name"] == f"'{name}"


def test_a_phone_number_keeps_its_plus() -> None:
    row = cells(entry({"resourceName": "x", "phoneNumbers": [{"value": "+1 (555) 010-99"}]}))
    assert row["Phone 1 - Value"] == "+1 (555) 010-99"


def test_json_lines_hold_everything_google_has() -> None:
    (line,) = json_lines.lines([entry(None, "x", "Family")])
    assert json.loads(line)["person"] == RICH
    assert line.isascii()


def test_people_are_sorted_as_people_sort() -> None:
    names = ["Zoë", "émile", "Emil", None]
    assert [one.display_name for one in sorted((entry({}, name) for name in names), key=sort_key)] == [
        None,
        "Emil",
        "émile",
        "Zoë",
    ]


hostile = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["x\r\nEND:VCARD\r\nBEGIN:VCARD", "x\nTEL:666", "a;b,c\\n", "\u2028TEL:1", "x\x00y", "\r", '"', "=1"]
    ),
)


@given(hostile, hostile, hostile)
def test_hostile_text_makes_one_card_and_one_row(name: str, note: str, kind: str) -> None:
    person = {
        "resourceName": "x",
        "names": [{"givenName": name, "familyName": note}],
        "biographies": [{"value": note}],
        "emailAddresses": [{"value": "a@x.example", "type": kind}],
        "organizations": [{"name": kind}],
    }
    one = Entry("uid", "x", name, json.dumps(person), (kind,) if kind.strip() else ())
    text = "".join(vcard.lines([one]))
    assert len(list(vobject.readComponents(text))) == 1
    assert len(re.findall(r"^(?:item\d+\.)?TEL", text, re.MULTILINE)) == 0
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    assert len(list(csv.DictReader(io.StringIO("".join(google_csv.lines([one])), newline="")))) == 1


@pytest.fixture
def radicale(tmp_path: Path) -> Iterator[str]:
    with address_book(tmp_path) as book:
        yield book


def test_a_cardav_server_takes_the_cards_and_gives_them_back(radicale: str) -> None:
    second = Entry("uid-2", "people/c2", "=Mallory; \\ ,", json.dumps({"resourceName": "people/c2"}))
    for one in (entry(None, "Dr. Ada Lovelace", "Family", "Pioneers"), second):
        address = radicale + quote(f"{one.uid}.vcf")
        sent = requests.put(
            address, "".join(vcard.lines([one])).encode(), headers={"Content-Type": "text/vcard"}, timeout=5
        )
        assert sent.status_code == 201, sent.text
    back = vobject.readOne(requests.get(f"{radicale}uid-1.vcf", auth=SOMEBODY, timeout=5).text)
    assert back.fn.value == "Dr. Ada Lovelace"
    assert [line.value for line in back.email_list] == ["ada@x.example", "a@y.example"]
    assert [line.value for line in back.tel_list] == ["+44 20 7946 0000", "112"]
    assert sorted(back.categories.value) == ["Family", "Pioneers"]
    assert (
        vobject.readOne(requests.get(f"{radicale}uid-2.vcf", auth=SOMEBODY, timeout=5).text).fn.value
        == "=Mallory; \\ ,"
    )
