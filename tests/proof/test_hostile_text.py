"""Whatever somebody writes into a contact: it steers no terminal, becomes no formula, no second card, no markup."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
import vobject
from icalendar.parser import Contentlines

from contacts_sync import logs
from contacts_sync.cli import boundary
from contacts_sync.errors import ContactsSyncError
from contacts_sync.export.google_csv import PHONE
from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.store.engine import close, open_database
from tests.cli.test_boundary import raising
from tests.inside import desk_for, join, sync
from tests.launcher import Launcher
from tests.operating import Operator, wait_until
from tests.postgres import Server
from tests.proof import hostile
from tests.proof.conftest import Say
from tests.proof.hostile import as_stored, steering
from tests.proof.stage import SETTINGS
from tests.web.conftest import free_port

STEP = 7  # of the corpus, every n-th in the quick slice
ACCOUNTS, QUICK_ACCOUNTS = 150, 6  # users whose Google account has a hostile name


@pytest.fixture
def corpus(whole: bool) -> list[str]:
    every = hostile.corpus()
    assert len(every) >= 500
    return every if whole else every[::STEP]


def person(text: str) -> dict[str, Any]:
    """That text wherever a person has text."""
    return {
        "names": [
            {
                "displayName": text,
                "givenName": text,
                "familyName": text,
                "middleName": text,
                "honorificPrefix": text,
                "phoneticGivenName": text,
            }
        ],
        "nicknames": [{"value": text}],
        "emailAddresses": [{"value": text, "type": text}],
        "phoneNumbers": [{"value": text, "type": text}],
        "addresses": [{"streetAddress": text, "city": text, "country": text, "formattedValue": text, "type": text}],
        "organizations": [{"name": text, "title": text, "department": text}],
        "biographies": [{"value": text}],
        "urls": [{"value": text, "type": text}],
        "imClients": [{"username": text, "protocol": text}],
        "relations": [{"person": text, "type": text}],
        "events": [{"type": text, "date": {"year": 2000, "month": 2, "day": 29}}],
        "userDefined": [{"key": text, "value": text}],
        "photos": [{"url": text}],
        "birthdays": [{"text": text}],
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """A store full of such people, synced over HTTP, and an operator who looks at it."""

    operator: Operator
    launcher: Launcher
    corpus: list[str]
    users: list[str]

    def type(self, *words: str, code: int = 0) -> tuple[str, str]:
        """What a command says on stdout and on stderr."""
        journal = self.operator.home / "stderr.txt"
        journal.unlink(missing_ok=True)
        launched = self.launcher.start(*words, home=self.operator.home, environ=self.operator.environ)
        out = launched.stdout.buffer.read().decode()
        assert launched.wait().code == code, (words, launched.stderr())
        return out, journal.read_bytes().decode()

    def on_a_terminal(self, *words: str) -> str:
        """What a terminal is sent, all together."""
        ours, theirs = pty.openpty()
        environ = {**self.operator.environ, "TERM": "xterm", "COLUMNS": "200"}
        command = [sys.executable, "-m", "contacts_sync", *words]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=self.operator.home
        )
        os.close(theirs)
        said = b"".join(_read(ours))
        os.close(ours)
        assert process.wait(60) == 0, said
        return said.decode().replace("\r\n", "\n")

    def json(self, *words: str) -> dict[str, Any]:
        """A command's document, which must be plain ASCII."""
        out, err = self.type(*words, "--json")
        assert out.isascii()
        assert not steering(out + err)
        document: dict[str, Any] = json.loads(out)
        return document


def _read(terminal: int) -> Iterator[bytes]:
    try:
        while piece := os.read(terminal, 65_536):
            yield piece
    except OSError:  # so a pseudoterminal ends
        return


@pytest.fixture
def shown(
    google: Sandbox, server: Server | None, tmp_path: Path, launcher: Launcher, corpus: list[str], whole: bool
) -> Shown:
    url = server.new_database() if server else f"sqlite:///{tmp_path}/store.db"
    operator = Operator(tmp_path, google, url, **SETTINGS, WEB__LISTEN=f"127.0.0.1:{free_port()}")
    db = open_database(url, create=True)
    desk = desk_for(google, db, tmp_path, SYNC__PAGE_SIZE="100")
    account = google.world.add_account("alice@example.com")
    for text in corpus:
        account.add_person(raw=person(text), labels=[text])
    join(desk, google, "alice", account.email)
    count = ACCOUNTS if whole else QUICK_ACCOUNTS
    owners = [text for text in corpus if len(text) < 400][:: max(1, len(corpus) // count)]
    for number, text in enumerate(owners):
        google.world.add_account(f"{text}@{number}")
        join(desk, google, f"user{number}", f"{text}@{number}")
    users = ["alice", *(f"user{number}" for number in range(len(owners)))]
    for user in users:
        assert sync(desk, user).run.counters.contacts_imported == (len(corpus) if user == "alice" else 0)
    close(db)
    return Shown(operator, launcher, corpus, users)


def test_no_outlet_lets_it_through(shown: Shown, whole: bool, say: Say) -> None:
    listed = shown.json("contacts", "list", "alice", "--limit", "0")["contacts"]
    assert sorted(one["given_name"] for one in listed) == sorted(map(as_stored, shown.corpus))
    told = [
        *pages_of_a_daemon(shown),
        *(said for words in looks(listed, shown, whole=whole) for said in shown.type(*words)),
        *(said for words in mistakes(shown.corpus) for said in shown.type(*words, code=2)),
    ]
    assert not (found := steering("".join(told)[:50_000_000])), found
    painted = hostile.COLOURS.sub("", shown.on_a_terminal("contacts", "list", "alice", "--limit", "0"))
    assert not (found := steering(painted)), found
    for words in (
        ("status",),
        ("contacts", "show", str(listed[0]["id"])),
        ("contacts", "search", "a"),
        ("runs", "list"),
    ):
        shown.json(*words)
    say(
        f"hostile text, {shown.operator.url.partition(':')[0]}: {len(shown.corpus)} strings in {len(person(''))} fields,"
        f" {len(shown.users)} accounts, {len(told)} outputs of {sum(map(len, told)) / 1e6:.1f} MB: nothing raw"
    )


def looks(listed: list[dict[str, Any]], shown: Shown, *, whole: bool) -> Iterator[tuple[str, ...]]:
    """The commands that show what came from outside."""
    yield from (("contacts", "list", "alice", "--limit", "0"), ("contacts", "search", "a", "--limit", "0"), ("status",))
    yield from (("contacts", "show", str(one["id"])) for one in (listed if whole else listed[::20]))
    yield from (("schedule", "show"), ("runs", "list", "--limit", "0"), ("check",), ("db", "check"))
    yield from (("--log-level", "debug", "--log-format", form, "run-now", "--all") for form in ("console", "json"))


def mistakes(corpus: list[str]) -> Iterator[tuple[str, ...]]:
    """Words of the command line come from scripts, and those have them from anywhere."""
    words = [
        text for text in corpus if "\0" not in text and text.isascii() and not text.startswith("-") and text.strip()
    ]
    for text in words[:: max(1, len(words) // 6)]:
        yield "--log-level", "debug", text
        yield "runs", "list", "--status", text
        yield "schedule", "preview", "--from", text, "--to", text, "--cron", text


def pages_of_a_daemon(shown: Shown) -> Iterator[str]:
    """The dashboard, the metrics, the log and what systemd is told, while a user's consent is gone."""
    google, home = shown.operator.google, shown.operator.home
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.bind(str(home / "notify"))
    shown.operator.environ["NOTIFY_SOCKET"] = str(home / "notify")
    google.faults.add("people", faults.service_disabled(), account="alice@example.com")
    with shown.operator.daemon():
        del shown.operator.environ["NOTIFY_SOCKET"]
        google.faults.add("token", faults.invalid_grant(hostile.MARKUP[0]))
        google.world.accounts()[-1].expire_access_tokens()
        shown.type("run-now", shown.users[-1], code=4)
        for path in ("/", "/?q=a", *(f"/user?id={user}" for user in shown.users), "/runs/1", "/metrics"):
            page = requests.get(f"http://{shown.operator.environ['CONTACTS_SYNC_WEB__LISTEN']}{path}", timeout=20)
            assert page.ok, path
            assert not (found := markup(page.text)), found
            yield page.text
        wait_until(lambda: notes.recv(65_536).startswith(b"STATUS="))
        notes.setblocking(False)
    google.faults.clear()  # what the daemon hasn't met by now would meet a command that is to succeed
    yield (home / "daemon.log").read_bytes().decode()
    yield from told_to_systemd(notes)


def told_to_systemd(notes: socket.socket) -> Iterator[str]:
    with notes:
        try:
            while said := notes.recv(65_536).decode():
                assert re.fullmatch(r"(READY|STOPPING|WATCHDOG|RELOADING|STATUS|MONOTONIC_USEC)=.*", said), said
                yield said
        except BlockingIOError:
            return


def markup(page: str) -> list[str]:
    """What stands in a page as it was written, and not escaped."""
    return [text for text in hostile.MARKUP if set("<>\"'") & set(text) and text in page]


# -- what is taken away


def test_files_hold_it_and_it_does_no_harm_there(shown: Shown, say: Say) -> None:
    people = {
        one["resource_name"]: one["payload"]
        for one in shown.json("contacts", "list", "alice", "--limit", "0")["contacts"]
    }
    cards = shown.type("export", "alice", "--format", "vcard")[0]
    rows = shown.type("export", "alice", "--format", "csv")[0]
    lines = shown.type("export", "alice", "--format", "jsonl")[0]
    agree(cards, len(shown.corpus))
    no_formula(rows, len(shown.corpus))
    assert lines.isascii()
    assert not steering(lines)
    assert {one["resourceName"]: one["person"] for one in map(json.loads, lines.splitlines())} == people
    say(
        f"exports: {len(shown.corpus)} hostile cards, alike in two parsers; {rows.count(chr(10))} lines of CSV, 0 formulas"
    )


def agree(cards: str, count: int) -> None:
    """Two parsers that nobody here wrote see the same cards with the same lines. A tab is text to them (RFC 2426)."""
    assert not steering(
        cards, but="\r\n\t" + hostile.BIDI + hostile.INVISIBLE + "".join(hostile.ODD) + "".join(hostile.LONG)
    )
    by_vobject = [[(line.name, line.group) for line in card.lines()] for card in vobject.readComponents(cards)]
    lines = [line for line in Contentlines.from_ical(cards) if line]  # type: ignore[no-untyped-call]  # icalendar leaves it untyped
    assert len(by_vobject) == count
    names = [line.parts()[0] for line in lines]
    assert (names.count("BEGIN"), names.count("END")) == (count, count)
    theirs = [f"{group}.{name}".upper() if group else name for card in by_vobject for name, group in card]
    assert sorted(name.upper() for name in names if name not in ("BEGIN", "END")) == sorted(theirs)
    values = sorted(one.value for card in vobject.readComponents(cards) for one in card.contents.get("note", []))
    assert values == sorted(line.parts()[2] for line in lines if line.parts()[0] == "NOTE")


def no_formula(text: str, count: int) -> None:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == count + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    bad = [
        cell for cell in cells if (cell[:1] in "=@\t\r\n" and cell) or (cell[:1] in "+-" and not PHONE.fullmatch(cell))
    ]
    assert not [cell for cell in bad if cell], bad[:3]
    assert not steering(
        "".join(cells), but="\n\t" + hostile.BIDI + hostile.INVISIBLE + "".join(hostile.ODD) + "".join(hostile.LONG)
    )


# -- logs and errors


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_log_line_lets_it_through(corpus: list[str], form: str) -> None:
    stream = io.StringIO()
    logs.configure(level="debug", format=form, stream=stream)
    for text in corpus:
        try:
            raise ContactsSyncError(text)
        except ContactsSyncError:
            structlog.get_logger().exception(text, user=text, many=[text], deep={"a": text}, error=ValueError(text))
    said = stream.getvalue()
    assert not (found := steering(said)), found
    if form == "json":
        assert len([json.loads(line) for line in said.splitlines()]) == len(corpus)


@pytest.mark.parametrize("words", [[], ["--json"], ["--log-level", "debug"]], ids=" ".join)
def test_no_error_lets_it_through(corpus: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for text in corpus:
        for error in (ContactsSyncError(text, hint=text), ValueError(text), OSError(5, text, text)):
            boundary.run(raising(error), words)
    said = capsys.readouterr()
    assert not (found := steering(said.out + said.err)), found
