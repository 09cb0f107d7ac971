"""No secret is ever found in what the program says or leaves behind, whatever happens, at debug level, in any disguise."""

from __future__ import annotations

import json
import signal
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO, TypeVar
from urllib.parse import quote

import psycopg
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from psycopg import sql

from contacts_sync import vault
from contacts_sync.sandbox import faults
from contacts_sync.sandbox.faults import Fault
from contacts_sync.sandbox.rules import Where
from tests.launcher import Launcher
from tests.operating import Operator, wait_until
from tests.postgres import Server
from tests.proof import canaries
from tests.proof.canaries import Eavesdropped, ProcessList
from tests.proof.conftest import Say
from tests.proof.stage import SETTINGS
from tests.web.conftest import free_port

T = TypeVar("T")
ALICE, BOB = "alice@example.com", "bob@example.com"
ROBOT = "robot@project.iam.gserviceaccount.com"
QUICK = 5  # of what there is a list of, every n-th
HOLDERS = {"key", "robot.json", "web-password", "carried", "with-secrets.toml", "wrong.toml"}  # files that hold secrets
WEATHER: dict[Where, tuple[Fault, ...]] = {
    "people": (
        *(faults.internal_error(), faults.reset(), faults.lost_answer(), faults.truncated(), faults.gzip_cut()),
        *(faults.bad_gateway(), faults.unauthenticated(), faults.too_many_requests("0"), faults.quota_forbidden()),
        *(faults.service_disabled(), faults.invalid_argument(), faults.expired_sync_token()),
        *(faults.respond(302, headers={"Location": "http://127.0.0.1:9/"}), faults.respond(200, b"[" * 100_000)),
    ),
    "groups": (faults.internal_error(), faults.scope_insufficient(), faults.unauthenticated()),
    "token": (
        *(faults.internal_error(), faults.reset(), faults.lost_answer(), faults.empty_too_many_requests()),
        *(faults.invalid_client(), faults.invalid_grant(), faults.respond(307, headers={"Location": "/elsewhere"})),
    ),
}


@dataclass
class Household:
    """An operator who types everything at debug level; `own` are the secrets that never go over the line."""

    google: Eavesdropped
    operator: Operator
    launcher: Launcher
    form: str
    step: int
    commands: int = 0
    said: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)

    @property
    def home(self) -> Path:
        return self.operator.home

    def some(self, every: Sequence[T]) -> Sequence[T]:
        """All of them, or the quick slice."""
        return every[:: self.step]

    def runs(self) -> list[int]:
        """The ids of all runs there were."""
        self.type("runs", "list", "--limit", "0", "--json")
        return [run["id"] for run in json.loads(self.said[-1])["runs"]]

    @property
    def is_local(self) -> bool:
        """True for a store in a file."""
        return self.operator.url.startswith("sqlite")

    def words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        self.commands += 1
        return ("--log-level", "debug", "--log-format", self.form, *words)

    def type(self, *words: str) -> int:
        """Type a command to its end; what is asked for in a browser is allowed there."""
        launched = self.launcher.start(*self.words(words), home=self.home, environ=self.operator.environ)
        out = ""
        if words[0] == "connect" and "--service-account" not in words and "--grant" not in words:
            Thread(target=self._browse, args=[launched.stdout], daemon=True).start()
        else:
            out = launched.stdout.read()  # while it runs: a pipe holds only so much
        ended = launched.wait()
        self.said.append(out + ended.out)
        return ended.code

    def _browse(self, told: IO[str]) -> None:
        line = told.readline()
        self.said.append(line)
        requests.get(json.loads(line)["url"] if line.startswith("{") else line.strip(), timeout=20)

    def paste(self, *words: str, change: tuple[str, str] = ("", "")) -> int:
        """The same, where the browser's last address is pasted, after a `change` of it; in a process of its own."""
        process = self.operator.start(*self.words(words))
        assert process.stdout
        address = requests.get(process.stdout.readline().strip(), allow_redirects=False, timeout=20)
        self._told(process, address.headers["Location"].replace(*change) + "\n")
        return process.returncode

    def authorize(self) -> None:
        """What `authorize` prints on stdout is a secret, by design; it goes into a file for `connect --grant`."""
        process = self.operator.start(*self.words(("authorize", "--no-browser")))
        assert process.stderr
        address = next(line for line in process.stderr if line.startswith("http"))
        requests.get(address.strip(), timeout=20)
        (self.home / "carried").write_text(self._told(process))
        self.said.pop()

    def _told(self, process: subprocess.Popen[str], typed: str = "") -> str:
        out, err = process.communicate(typed, timeout=60)
        self.said += [err or "", out]
        return out

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """A daemon in a process of its own, up and watched through its dashboard."""
        with (self.home / "daemon.log").open("a") as journal:
            process = self.operator.start(*self.words(("daemon",)), stderr=journal)
            try:
                wait_until(self._ready)
                yield
                process.send_signal(signal.SIGTERM)
                self._told(process)
                assert process.returncode == 0
            finally:
                process.kill()
                process.communicate()

    def _ready(self) -> bool:
        with suppress(requests.ConnectionError):
            return self.page("/readyz", "wrong password").status_code in (200, 401)
        return False

    def page(self, path: str, password: str | None = None) -> requests.Response:
        address = f"http://{self.operator.environ['CONTACTS_SYNC_WEB__LISTEN']}{path}"
        known = (self.home / "web-password").read_text().strip()
        answer = requests.get(address, auth=("x", password or known), timeout=20)
        self.said.append(f"{answer.headers}\n{answer.text}")
        return answer

    def left(self) -> Iterator[tuple[str, bytes]]:
        """All that anybody could look at by now."""
        yield "stdout, stderr and pages", "\n".join(self.said).encode()
        yield from canaries.files_below(self.home, but=HOLDERS)
        if not self.is_local:
            yield from rows_of(self.operator.url)


def rows_of(url: str) -> Iterator[tuple[str, bytes]]:
    """What a dump of a PostgreSQL database would hold: every row of every table, as text."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))).fetchall()
            yield f"table {table}", "\n".join(row for (row,) in rows).encode()


@pytest.fixture
def google() -> Iterator[Eavesdropped]:
    with Eavesdropped() as sandbox:
        yield sandbox


@pytest.fixture(params=[("sqlite", "json"), ("postgresql", "console")], ids="-".join)
def household(
    request: pytest.FixtureRequest, google: Eavesdropped, tmp_path: Path, launcher: Launcher, whole: bool
) -> Household:
    home, (database, form) = tmp_path / "home", request.param
    (home / ".config").mkdir(parents=True)
    url, password = f"sqlite:///{home}/store.db", canaries.fresh("database").replace("/", "_")
    if database == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        url = server.new_database().replace("postgres@", f"postgres:{quote(password, safe='')}@")
    settings = SETTINGS | {"WEB__LISTEN": f"127.0.0.1:{free_port()}", "WEB__PASSWORD_FILE": str(home / "web-password")}
    made = Household(google, Operator(home, google, url, **settings), launcher, form, 1 if whole else QUICK)
    made.own.add(password)
    for email in (ALICE, BOB):
        google.world.add_account(email).add_people(12, labels=("Team",))
    google.consent.account = ALICE
    return made


def robot(household: Household) -> Path:
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = pair.public_key().public_numbers()
    household.google.trust_service_account(ROBOT, modulus=numbers.n, exponent=numbers.e)
    form = serialization.PrivateFormat.PKCS8
    pem = pair.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    household.own |= canaries.pieces_of_key(pem)
    path = household.home / "robot.json"
    named = {"client_email": ROBOT, "client_id": "1", "private_key": pem, "private_key_id": "k"}
    path.write_text(json.dumps({"type": "service_account", **named}))
    path.chmod(0o600)
    return path


# -- the scenarios


def begin(household: Household) -> None:
    household.type("init")
    household.own |= set((household.home / "key").read_text().split())
    household.type("check")


def connect(household: Household) -> None:
    assert household.type("connect", "alice", "--no-browser") == 0
    assert household.type("connect", "alice", "--no-browser", "--json") == 0


def connect_in_other_ways(household: Household) -> None:
    assert household.paste("connect", "pasting", "--paste") == 0
    for change in household.some((("code=", "code=x"), ("state=", "state=x"), ("http", "ftp"))):
        assert household.paste("connect", "pasting", "--paste", change=change) == 1
    household.authorize()
    assert household.type("connect", "carrying", "--grant", "carried") == 0
    assert household.type("connect", "carrying", "--grant", "carried") == 1  # the code was used
    by_robot = ("--service-account", str(robot(household)))
    assert household.type("connect", "bob", *by_robot, "--subject", BOB) == 0
    assert household.type("connect", "ghost", *by_robot, "--subject", "ghost@example.com") != 0
    (household.home / "users.csv").write_text(f"bob,{BOB}\ncyd,{ALICE}\nghost,ghost@example.com\n")
    assert household.type("connect", "--from-csv", "users.csv", *by_robot) == 1


def consents_that_fail(household: Household) -> None:
    google = household.google
    where_it_fails: tuple[tuple[Where, Fault], ...] = (
        ("token", faults.invalid_grant()),
        ("token", faults.invalid_client()),
        ("token", faults.internal_error()),
        ("token", faults.edited(lambda answer: answer.update(scope="openid"))),
        ("token", faults.edited(lambda answer: answer.pop("refresh_token"))),
        ("token", faults.edited(lambda answer: answer.update(access_token=[answer["access_token"]]))),
        ("userinfo", faults.internal_error()),
        ("userinfo", faults.respond(200, {"sub": ""})),
        ("groups", faults.service_disabled()),
        ("groups", faults.scope_insufficient()),
    )
    for where, fault in household.some(where_it_fails):
        google.faults.add(where, fault)
        google.faults.add("revoke", faults.internal_error())
        household.type("connect", "dan", "--no-browser")
        google.faults.clear()
    google.consent.account = BOB
    assert household.type("connect", "alice", "--no-browser") == 1
    google.consent.account = ALICE


def sync(household: Household) -> None:
    assert household.type("run-now", "--all") == 0
    account = household.google.world.account(ALICE)
    account.add_people(2)
    assert household.type("run-now", "alice", "bob") == 0
    account.expire_access_tokens()
    assert household.type("run-now", "alice") == 0
    household.google.world.grants.rotate_refresh_tokens = True
    account.expire_access_tokens()
    assert household.type("run-now", "alice") == 0


def every_kind_of_trouble(household: Household) -> None:
    google = household.google
    for where, kinds in WEATHER.items():
        for kind in household.some(kinds):
            if where == "token":
                google.world.account(ALICE).expire_access_tokens()
            google.faults.add(where, kind, times=3)
            household.type("run-now", "alice", "--json")
            google.faults.clear()
            if household.type("run-now", "alice", "--json") == 4:
                household.type("connect", "alice", "--no-browser")


def a_peer_that_repeats_what_it_is_told(household: Household) -> None:
    for status in household.some((403, 400, 200, 401, 404, 500)):
        household.google.echo = status
        household.type("run-now", "alice")
        household.type("run-now", "bob", "--full")
        household.type("connect", "dan", "--no-browser")
        household.type("check", "alice")
        household.google.echo = None
        household.type("connect", "alice", "--no-browser")


def a_wrong_key(household: Household) -> None:
    key = household.home / "key"
    good = key.read_text()
    key.write_text(vault.generate_key() + "\n")
    household.own.add(key.read_text().strip())
    for words in (("run-now", "alice"), ("status",), ("check",), ("key", "rotate"), ("disconnect", "cyd")):
        household.type(*words)
    key.write_text(f"no key at all {good}")
    household.type("run-now", "alice")
    key.write_text(good)


def rotation(household: Household) -> None:
    key = household.home / "key"
    key.write_text(f"{vault.generate_key()}\n{key.read_text()}")
    household.own |= set(key.read_text().split())
    assert household.type("key", "rotate") == 0
    assert household.type("run-now", "alice") == 0


def wrong_settings(household: Household) -> None:
    """Every mistake that puts a secret where another value should be."""
    secret, url = household.google.client_secret, household.operator.url
    (household.home / "with-secrets.toml").write_text(
        f'[google]\nclient_secret = ["{secret}"]\nclient_secrte = "{secret}"\n'
        f'[database]\nurl = ["{url}"]\n[sync]\nworkers = 0\n'
    )
    (household.home / "wrong.toml").write_text(f'[google]\nclient_secret = "{secret}\n')
    settings: tuple[tuple[str, ...], ...] = (
        ("config", "validate", "with-secrets.toml"),
        ("config", "validate", "wrong.toml"),
        ("--config", "with-secrets.toml", "status"),
        ("config", "show"),
        ("config", "show", "--json"),
    )
    for words in settings:
        household.type(*words)
    away = url.replace("host=", "host=/nowhere") if "host=" in url else f"{url}.not-there"
    household.operator.environ["CONTACTS_SYNC_DATABASE__URL"] = away
    for command in ("check", "status", "run-now --all", "db upgrade"):
        household.type(*command.split())
    household.operator.environ["CONTACTS_SYNC_DATABASE__URL"] = url


def a_daemon(household: Household) -> None:
    google = household.google
    password = canaries.fresh("web")
    household.own.add(password)
    (household.home / "web-password").touch(0o600)
    (household.home / "web-password").write_text(password)
    with household.daemon():
        google.world.account(ALICE).expire_access_tokens()
        household.type("run-now", "--all", "--wait")
        google.faults.add("token", faults.invalid_grant())
        google.faults.add("people", faults.respond(200, b"[" * 100_000), times=3)
        google.world.account(ALICE).expire_access_tokens()
        household.type("run-now", "alice", "bob", "--wait")
        runs = [f"/runs/{run}" for run in household.some(household.runs())]
        for path in ("/", "/?q=alice", "/user?id=alice", *runs, "/metrics", "/nowhere"):
            household.page(path)
            household.page(path, "wrong password")
        household.type("status")
        household.type("check")


def what_is_taken_away(household: Household) -> None:
    for run in household.some(household.runs()):
        household.type("runs", "show", str(run))
    looks: tuple[tuple[str, ...], ...] = (
        ("status", "--json"),
        ("runs", "list", "--json"),
        ("contacts", "list", "alice", "--json"),
        ("schedule", "show"),
        ("db", "check"),
        *(("export", "alice", "--format", form, "--output", f"alice.{form}") for form in ("vcard", "csv", "jsonl")),
    )
    for words in (*household.some(looks), ("db", "backup", "store.backup"), ("export", "--all", "--output", "exports")):
        household.type(*words)


def farewells(household: Household) -> None:
    for fault in household.some((faults.internal_error(), faults.reset(), faults.respond(403, "no"))):
        household.type("connect", "alice", "--no-browser")
        household.google.faults.add("revoke", fault, times=None)
        for user in household.some(("alice", "carrying", "pasting", "cyd")):
            household.type("disconnect", user)
        household.google.faults.clear()
    household.type("disconnect", "bob", "--purge", "--yes")


SCENARIOS = (
    *(begin, connect, connect_in_other_ways, consents_that_fail, sync, every_kind_of_trouble),
    *(a_peer_that_repeats_what_it_is_told, a_wrong_key, rotation, wrong_settings, a_daemon),
    *(what_is_taken_away, farewells),
)
WHERE_A_SERVER_MATTERS = (begin, connect, wrong_settings, a_daemon)  # the quick slice on PostgreSQL


def test_no_secret_leaves_the_house(household: Household, whole: bool, say: Say) -> None:
    processes = ProcessList()
    with processes.watched():
        for scenario in SCENARIOS if whole or household.is_local else WHERE_A_SERVER_MATTERS:
            scenario(household)
    secrets = household.own | household.google.heard
    places = [*household.left(), ("the process list", b"\n".join(processes.seen))]
    assert not (found := canaries.hits(secrets, places)), "\n".join(found)
    size = sum(len(said) for _, said in places) / 1e6
    looked = sum(len(canaries.forms(secret)) for secret in secrets)
    say(
        f"canaries, {household.form}: {len(secrets)} secrets in {looked} forms, {household.commands} commands, "
        f"{processes.looks} looks at the process list, {len(places)} places of {size:.1f} MB: 0 hits"
    )


DISGUISES: tuple[Callable[[str], str], ...] = (
    lambda secret: secret,
    lambda secret: quote(secret, safe=""),
    lambda secret: json.dumps({"x": secret}),
    lambda secret: json.dumps(secret).replace("/", "\\/"),
    *((lambda secret, n=n: b64encode(b"x" * n + secret.encode() + b"y" * 4).decode()) for n in range(6)),
    *((lambda secret, n=n: urlsafe_b64encode(b"x" * n + secret.encode() + b"y" * n).decode()) for n in range(3)),
)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("ending", ["", "?", ">>>", "ÿ"])
def test_a_planted_canary_is_found(disguise: Callable[[str], str], ending: str) -> None:
    secret = canaries.fresh("planted") + ending
    said = f"before{disguise(secret)}after".encode()
    assert canaries.hits({secret}, [("here", said)])
    assert not canaries.hits({canaries.fresh("planted")}, [("here", said)])


def test_a_command_that_prints_a_secret_is_caught(household: Household) -> None:
    """The way from a command's mouth to the search has no hole."""
    household.type("key", "generate")
    (key,) = [line for line in household.said[-1].splitlines() if line]
    assert canaries.hits({key}, household.left())
