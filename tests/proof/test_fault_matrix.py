"""Every kind of trouble at every place: the error's class, the requests and waits that Google sees, the end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contacts_sync.model import ConnectionStatus, Outcome, Run, RunKind, RunStatus, Trigger
from contacts_sync.sandbox import Sandbox, people
from contacts_sync.sandbox.answers import Request
from contacts_sync.sandbox.rules import Where
from contacts_sync.sandbox.server import RecordedRequest
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import Database, close, open_database, read, write
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.run import carry_out
from tests.inside import copy_of, desk_for, join, rows, world_of
from tests.proof.clock import Clock, Waits
from tests.proof.conftest import Say
from tests.proof.trouble import KINDS, LINE, PLACES, SHORT, End, Kind, Place

ALICE, BOB = "alice@example.com", "bob@example.com"
STRUCK: dict[Place, str] = {
    "token": "token",
    "groups": "groups",
    "first": "people 1",
    "middle": "people 2",
    "last": "people 3",
}
PEOPLE = 9  # three pages of three
UNDISTURBED = ["groups", "people 1", "people 2", "people 3"]
AGES = timedelta(hours=2)  # an access token's end


@dataclass
class Stage:
    """Two connected users, in step with Google."""

    google: Sandbox
    db: Database
    desk: Desk
    impatient: Desk
    clock: Clock
    waits: Waits
    cells: int = 0
    heard: int = 0

    def change_everybody(self) -> None:
        """So that an incremental listing has three pages."""
        self.cells += 1
        for email in (ALICE, BOB):
            account = self.google.world.account(email)
            for number, name in enumerate(account.people()):
                account.change_person(name, given_name=f"Person {number} of {self.cells}")

    def claim(self, user: str) -> Run:
        now = self.clock()
        with write(self.db) as tx:
            kind = RunKind.INCREMENTAL
            run, _ = runs.enqueue(tx, user_id=user, kind=kind, trigger=Trigger.MANUAL, now=now)
        with write(self.db) as tx:
            lease = timedelta(days=1)
            found = runs.claim(tx, worker_id=self.desk.worker_id, now=now, lease=lease, limit=1, run_ids=[run.id])
        assert found, run
        return found[0]

    def arrived(self, email: str) -> list[RecordedRequest]:
        """One user's requests since `listen`."""
        return [one for one in self.google.requests[self.heard :] if one.account == email]

    def listen(self) -> None:
        self.heard = len(self.google.requests)
        self.waits.seconds.clear()

    def sums(self, user: str) -> tuple[int, ...]:
        found = rows(
            self.db,
            "SELECT sum(contacts_imported), sum(contacts_updated), sum(contacts_deleted),"
            " sum(groups_imported), sum(groups_updated), sum(groups_deleted) FROM sync_runs WHERE user_id = :user",
            user=user,
        )
        return tuple(int(number) for number in found[0])

    def ids(self, user: str) -> dict[str, int]:
        return dict(rows(self.db, "SELECT resource_name, id FROM contacts WHERE user_id = :user", user=user))


def set_up(stack: ExitStack, home: Path) -> Stage:
    google = stack.enter_context(Sandbox())
    clock = Clock()
    waits = Waits(clock)
    google.world.clock = clock
    db = open_database(f"sqlite:///{home / 'store.db'}", create=True, upgrade=True)
    stack.callback(close, db)
    settings = {"SYNC__PAGE_SIZE": "3", "SYNC__BACKOFF": "2s,4s,8s", "SYNC__READ_TIMEOUT": "20s"}
    desks = [
        replace(desk_for(google, db, home, **{**settings, **more}), clock=clock, stop=waits)
        for more in ({}, {"SYNC__READ_TIMEOUT": f"{SHORT / timedelta(milliseconds=1):.0f}ms"})
    ]
    stage = Stage(google, db, desks[0], replace(desks[1], worker_id=desks[0].worker_id), clock, waits)
    for user, email in (("alice", ALICE), ("bob", BOB)):
        google.world.add_account(email).add_people(PEOPLE)
        join(stage.desk, google, user, email)
        assert carry_out(stage.claim(user), stage.desk).error is None
    return stage


class Stages:
    """A stage serves many cells; the one after a failure gets a fresh one."""

    def __init__(self, homes: Iterator[Path]) -> None:
        self._homes = homes
        self._stack = ExitStack()
        self._ready: Stage | None = None

    def take(self) -> Stage:
        if self._ready is None:
            self.end()
            self._ready = set_up(self._stack, next(self._homes))
        stage, self._ready = self._ready, None
        return stage

    def give_back(self, stage: Stage) -> None:
        stage.clock.now = max(stage.clock.now, datetime.now(UTC))
        young = stage.clock.now < datetime.now(UTC) + timedelta(days=3)  # a weekly full sync comes from day 5 on
        self._ready = stage if young else None

    def end(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    made = Stages(iter(lambda: tmp_path_factory.mktemp("stage"), None))
    yield made
    made.end()


Cell = tuple[Kind, Place]
CELLS: list[Cell] = [(kind, place) for kind in KINDS for place in PLACES if kind.at(place)]
PASSING = [
    (kind, place) for kind, place in CELLS if (end := kind.at(place)) and len(end.waits) == 2 == end.requests - 1
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Without --whole: the first page's cells, the token endpoint's own, and passing trouble on the line."""
    whole = metafunc.config.getoption("whole")
    if metafunc.function is test_lasting_trouble_of_any_kind_at_any_place:
        metafunc.parametrize(("kind", "place"), [cell for cell in CELLS if whole or is_quick(cell)], ids=str)
    if metafunc.function is test_passing_trouble_is_outlived_within_the_run:
        quick = [(kind, place) for kind, place in PASSING if kind in LINE and place == "first" and not kind.slow]
        metafunc.parametrize(("kind", "place"), PASSING if whole else quick, ids=str)


def is_quick(cell: Cell) -> bool:
    kind, place = cell
    return place == "first" or (kind.at("first") is None and place == "token")


def test_lasting_trouble_of_any_kind_at_any_place(stages: Stages, kind: Kind, place: Place) -> None:
    end = kind.at(place)
    assert end
    stage = stages.take()
    known, sums = stage.ids("alice"), stage.sums("alice")
    begin(stage, place)
    strike(stage, kind, place, times=None)
    alice, bob = run_both(stage, end, impatient=kind.slow)
    found_at_the_server(stage, end, place)
    found_in_the_store(stage, end, alice)
    undisturbed(stage, bob, place)
    stage.google.faults.clear()
    heal(stage, end)
    assert copy_of(stage.db, "alice") == world_of(stage.google, ALICE)
    assert stage.ids("alice") == known
    if end.connection is ConnectionStatus.CONNECTED:
        grown = tuple(now - then for now, then in zip(stage.sums("alice"), sums, strict=True))
        assert grown == (0, PEOPLE, 0, 0, 0, 0)
    stages.give_back(stage)


def test_passing_trouble_is_outlived_within_the_run(stages: Stages, kind: Kind, place: Place) -> None:
    end = kind.at(place)
    assert end
    stage = stages.take()
    begin(stage, place)
    strike(stage, kind, place, times=2)
    alice, _ = run_both(stage, end, impatient=kind.slow)
    assert alice.error is None
    assert stage.waits.seconds == list(end.waits)
    assert named(stage, ALICE) == replace(end, requests=3, goes_on=True).sequence(calm(place), STRUCK[place])
    assert copy_of(stage.db, "alice") == world_of(stage.google, ALICE)
    stages.give_back(stage)


def test_the_matrix_is_as_large_as_promised(say: Say) -> None:
    assert len({kind.name for kind, _ in CELLS}) == len(KINDS) >= 30
    assert len(CELLS) >= 150
    say(f"fault matrix: {len(KINDS)} kinds, {len(CELLS)} cells of lasting and {len(PASSING)} of passing trouble")


# -- a cell's steps


def begin(stage: Stage, place: Place) -> None:
    stage.change_everybody()
    if place == "token":
        stage.clock.now += AGES
    stage.listen()


def strike(stage: Stage, kind: Kind, place: Place, *, times: int | None) -> None:
    where, _, page = STRUCK[place].partition(" ")
    spot: Where = "token" if where == "token" else "groups" if where == "groups" else "people"
    stage.google.faults.add(spot, kind.fault, account=ALICE, page=int(page) if page else None, times=times)


def run_both(stage: Stage, end: End, *, impatient: bool) -> tuple[Outcome, Outcome]:
    """Side by side, over the same connections; a pause for everybody is looked at before Bob's success ends it."""
    claimed = [stage.claim("alice"), stage.claim("bob")]
    with ThreadPoolExecutor(2) as pool:
        alice = pool.submit(carry_out, claimed[0], stage.impatient if impatient else stage.desk)
        if end.pauses_all:
            wait([alice])
            assert is_paused(stage)
        bob = pool.submit(carry_out, claimed[1], stage.desk)
        return alice.result(60), bob.result(60)


def is_paused(stage: Stage) -> bool:
    with read(stage.db) as tx:
        return nodes.pause(tx) is not None


def found_at_the_server(stage: Stage, end: End, place: Place) -> None:
    assert named(stage, ALICE) == end.sequence(calm(place), STRUCK[place])
    assert stage.waits.seconds == list(end.waits)
    struck = [one.at for one in stage.arrived(ALICE) if name_of(one) == STRUCK[place]]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(struck)]
    assert [gap for gap in gaps if gap] == list(end.waits)


def found_in_the_store(stage: Stage, end: End, alice: Outcome) -> None:
    assert (type(alice.error).__name__ if alice.error else None) == end.error
    assert alice.run.status is end.status
    if end.status is RunStatus.FAILED:
        assert (alice.run.error_type, bool(alice.run.error_message)) == (end.error, True)
    if end.put_off is not None:
        assert 1 <= (alice.run.not_before - stage.clock()).total_seconds() / end.put_off <= 1.25
    with read(stage.db) as tx:
        found = connections.get(tx, "alice")
        assert found
        assert found.status == end.connection
        assert not nodes.pause(tx)


def undisturbed(stage: Stage, bob: Outcome, place: Place) -> None:
    assert bob.error is None
    assert named(stage, BOB) == calm(place)
    assert copy_of(stage.db, "bob") == world_of(stage.google, BOB)


def heal(stage: Stage, end: End) -> None:
    """What an operator would do, or nothing: the next run."""
    if end.put_off:
        stage.clock.now += 1.25 * timedelta(seconds=end.put_off)
    if end.connection is ConnectionStatus.NEEDS_REAUTH:
        join(stage.desk, stage.google, "alice", ALICE)
    for user in ("alice", "bob"):
        healed = carry_out(stage.claim(user), stage.desk)
        assert healed.error is None, healed
        assert healed.run.status is RunStatus.SUCCEEDED
    assert not is_paused(stage)


def calm(place: Place) -> list[str]:
    """The requests of a run that meets no trouble."""
    return (["token"] if place == "token" else []) + UNDISTURBED


def named(stage: Stage, email: str) -> list[str]:
    return [name_of(one) for one in stage.arrived(email)]


def name_of(one: RecordedRequest) -> str:
    if one.where != "people":
        return one.where
    query: dict[str, Any] = {name: [value] for name, value in one.query.items()}
    return f"people {people.page_number(Request('GET', one.path, query))}"
