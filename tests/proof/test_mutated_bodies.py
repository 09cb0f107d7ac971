"""Google answers with anything at all: the worker lives, each run ends in a known way, and the next good answer heals."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import update

from contacts_sync import errors, logs
from contacts_sync.errors import ContactsSyncError, StoreUnavailable, SyncError
from contacts_sync.google import oauth
from contacts_sync.model import Grant
from contacts_sync.sandbox import Sandbox
from contacts_sync.sandbox.answers import Answer, Request
from contacts_sync.store import nodes
from contacts_sync.store.engine import Database, close, open_database, write
from contacts_sync.store.tables import connections, sync_runs
from contacts_sync.sync.desk import Desk
from tests.inside import copy_of, desk_for, join, now, sync, world_of
from tests.postgres import Server
from tests.proof.conftest import Say
from tests.proof.mutations import mutated

USERS = [f"user{number}" for number in range(16)]
PEOPLE, PAGE = 9, "4"
QUICK, WHOLE = 400, 5_000  # mutated answers
MOST_MEMORY_MB = 512
SEED = 4
PATIENCE = 50
FAILURES = (SyncError, StoreUnavailable)
KNOWN = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, FAILURES)}


class Mutating(Sandbox):
    """A sandbox most of whose answers are mutated, each account's by a seed of its own, while `on`."""

    def __init__(self) -> None:
        super().__init__()
        self.on = False
        self.kinds: Counter[str] = Counter()
        self._chances: dict[str, random.Random] = {}
        self._turn = threading.Lock()

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        owner = self.world.grants.owner(request.bearer or request.form.get("refresh_token", "")) or ""
        chance = self._chances.setdefault(owner, random.Random(f"{SEED} {owner}"))
        if not self.on or chance.random() < 0.3:
            return answer
        with self._turn:
            kind, answer = mutated(answer, chance)
            self.kinds[kind] += 1
        return answer


@pytest.fixture
def google() -> Iterator[Mutating]:
    with Mutating() as sandbox:
        yield sandbox


@pytest.fixture
def store(google: Mutating, server: Server | None, tmp_path: Path) -> Iterator[Database]:
    """A store with connected and synced users."""
    db = open_database(server.new_database() if server else f"sqlite:///{tmp_path}/store.db", create=True)
    desk = desk_for(google, db, tmp_path, SYNC__PAGE_SIZE=PAGE)
    for user in USERS:
        google.world.add_account(f"{user}@example.com").add_people(PEOPLE, labels=("Team",))
        join(desk, google, user, f"{user}@example.com")
        sync(desk, user)
    yield db
    close(db)


def test_any_answer_at_all(google: Mutating, store: Database, tmp_path: Path, whole: bool, say: Say) -> None:
    wanted, ended = WHOLE if whole else QUICK, Counter[str]()
    with Worker(store, google, tmp_path) as worker:
        google.on = True
        while google.kinds.total() < wanted:
            for account in google.world.accounts()[:: 1 if ended.total() % 32 else 3]:
                account.expire_access_tokens()
            ended.update(worker.round())
        google.on = False
        for account in google.world.accounts():
            for name in account.people():  # who lies under a contact's true etag is believed until it changes
                account.change_person(name, notes="changed")
        healed = Counter(worker.round("full"))
        memory = worker.memory_mb()
    strange = {end for end in ended if end.partition(" ")[2] not in {"", *KNOWN}}
    assert not strange, {end: ended[end] for end in strange}
    assert healed == {"succeeded ": len(USERS)}
    for user in USERS:
        assert copy_of(store, user) == world_of(google, f"{user}@example.com"), user
    assert memory <= MOST_MEMORY_MB
    say(
        f"mutated answers, {store.engine.dialect.name}: {google.kinds.total()} of {len(google.kinds)} kinds in"
        f" {ended.total()} runs, all with a known end; all healed by the next good answer; at most {memory} MB"
    )


class Worker:
    """The worker's process: this module, told by stdin when to sync everybody once."""

    def __init__(self, db: Database, google: Mutating, home: Path) -> None:
        named = {
            "url": db.engine.url.render_as_string(hide_password=False) if db.path is None else f"sqlite:///{db.path}"
        }
        peer = {"id": google.client_id, "secret": google.client_secret, "endpoints": google.endpoints}
        told = json.dumps({**named, **peer, "home": str(home)})
        self._log = home / "worker.log"
        with self._log.open("w") as journal:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.proof.test_mutated_bodies", told],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=journal,
                text=True,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def round(self, how: str = "incremental") -> list[str]:
        """Sync everybody once; the answer is how each run ended: its status and the type of its error."""
        assert self._process.stdin
        assert self._process.stdout
        print(how, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the worker died: {self._log.read_text()[-3000:]}"
        told: list[str] = json.loads(line)
        return told

    def memory_mb(self) -> int:
        """The most that the process ever had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """The process itself."""
    peer = json.loads(sys.argv[1])
    logs.configure(level="info", format="json", stream=sys.stderr)
    db = open_database(peer["url"])
    desk = desk_for(_Peer(peer), db, Path(peer["home"]), SYNC__PAGE_SIZE=PAGE)  # type: ignore[arg-type]  # what is needed of a sandbox
    with ThreadPoolExecutor(len(USERS)) as pool:
        for line in sys.stdin:
            full = line.strip() == "full"
            told = list(pool.map(lambda user: _ended(desk, user, full=full), USERS))  # noqa: B023  (carried out at once)
            print(json.dumps(told), flush=True)


class _Peer:
    def __init__(self, told: dict[str, Any]) -> None:
        self.client_id, self.client_secret, self.endpoints = told["id"], told["secret"], told["endpoints"]


def _ended(desk: Desk, user: str, *, full: bool) -> str:
    for _ in range(PATIENCE):
        with suppress(AssertionError, StoreUnavailable):  # somebody's trouble pauses everybody, or the store is busy
            _forgive(desk.db, user)
            run = sync(desk, user, full=full).run
            return f"{run.status} {run.error_type or ''}"
    raise AssertionError(f"the run of {user} can't be claimed")


def _forgive(db: Database, user: str) -> None:
    """Nobody waits, and the user needn't consent again, whatever was believed of Google's answers."""
    with write(db) as tx:
        nodes.lift_pause(tx)
        tx.execute(update(connections).where(connections.c.user_id == user).values(status="connected"))
        waiting = (sync_runs.c.user_id == user) & (sync_runs.c.status == "queued")
        tx.execute(update(sync_runs).where(waiting).values(not_before=now()))


def test_any_answer_about_the_account(google: Mutating, tmp_path: Path, whole: bool, say: Say) -> None:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    desk = desk_for(google, db, tmp_path)
    google.world.add_account("ann@example.com")
    scopes = ("openid", "https://www.googleapis.com/auth/userinfo.email")
    grant = Grant(google.world.grants.issue_access("ann@example.com", scopes), "", now(), scopes)
    google.on, ends = True, Counter[str]()
    while google.kinds.total() < (WHOLE // 5 if whole else QUICK // 4):
        try:
            found = oauth.account(desk.transport, desk.oauth, grant)
            assert found.email.encode()
            assert "\0" not in found.email + found.sub
            ends["an account"] += 1
        except ContactsSyncError as error:
            ends[error.error_type] += 1
    close(db)
    say(f"mutated answers about the account: {google.kinds.total()}, {len(ends)} kinds of ends")


if __name__ == "__main__":
    main()
