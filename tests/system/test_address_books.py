"""What is exported goes through programs nobody here wrote: vdirsyncer, a CardDAV server, khard."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.carddav import address_book
from tests.operating import Operator

ALICE = "alice@example.com"
PEOPLE: tuple[dict[str, Any], ...] = (
    {
        "names": [{"givenName": "Zoë", "familyName": "O'Hara; Jr, \\\\"}],
        "emailAddresses": [{"value": "zoe@example.com", "type": "work"}, {"value": "z@home.example", "type": "home"}],
        "phoneNumbers": [{"value": "+49 30 1234", "type": "mobile"}],
        "birthdays": [{"date": {"month": 2, "day": 29}}],
    },
    {"names": [{"givenName": "Ada"}], "phoneNumbers": [{"value": "0170/5", "type": "Ski hut"}]},
    {"organizations": [{"name": "ACME, Inc."}], "emailAddresses": [{"value": "info@acme.example"}]},
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "radicale").mkdir()
    with address_book(tmp_path / "radicale") as url:
        yield url


def typed(*words: str, home: Path) -> str:
    """What a program of the virtual environment prints."""
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(home / "none")}
    program = str(Path(sys.executable).with_name(words[0]))
    done = subprocess.run([program, *words[1:]], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def carried(home: Path, cards: Path, book: str) -> Path:
    """The folder into which vdirsyncer brings the cards, by way of the CardDAV server."""
    (vdir := home / "vdir").mkdir()
    config = home / "vdirsyncer.conf"
    config.write_text(f"""
[general]
status_path = "{home}/status"
[pair up]
a = "file"
b = "dav"
collections = null
[pair down]
a = "vdir"
b = "dav"
collections = null
[storage file]
type = "singlefile"
path = "{cards}"
[storage dav]
type = "carddav"
url = "{book}"
username = "someone"
password = "any"
[storage vdir]
type = "filesystem"
path = "{vdir}"
fileext = ".vcf"
""")
    for pair in ("up", "down"):
        typed("vdirsyncer", "-c", str(config), "discover", pair, home=home)
        typed("vdirsyncer", "-c", str(config), "sync", pair, home=home)
    return vdir


def test_names_addresses_numbers_and_labels_arrive_in_other_address_books(operator: Operator, book: str) -> None:
    account = operator.google.world.add_account(ALICE)
    for number, person in enumerate(PEOPLE):
        account.add_person(raw=person, labels=("Family",) if number < 2 else ())
    operator.init()
    operator.connect("alice", account=ALICE)
    operator.run("run-now", "alice")
    operator.run("export", "alice", "--output", str(operator.home / "alice.vcf"))
    vdir = carried(operator.home, operator.home / "alice.vcf", book)
    khard = operator.home / "khard.conf"
    khard.write_text(f"[addressbooks]\n[[alice]]\npath = {vdir}\n")
    emails = typed("khard", "-c", str(khard), "email", "--parsable", home=operator.home)
    assert {line.split("\t")[0] for line in emails.splitlines() if "@" in line} == {
        *("zoe@example.com", "z@home.example", "info@acme.example")
    }
    phones = typed("khard", "-c", str(khard), "phone", "--parsable", home=operator.home)
    assert {tuple(line.split("\t")[:2]) for line in phones.splitlines()} == {
        ("+49 30 1234", "Zoë O'Hara; Jr, \\\\"),
        ("0170/5", "Ada"),
    }
    family_members = typed("khard", "-c", str(khard), "list", "--parsable", "categories:Family", home=operator.home)
    assert len(family_members.splitlines()) == 2
