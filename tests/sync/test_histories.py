"""Whatever happens at Google, and whatever goes wrong on the way: after a successful run the copy equals the world."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from contacts_sync.model import ConnectionStatus, RunStatus
from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.sandbox.rules import Where
from contacts_sync.store import connections
from contacts_sync.store.engine import close, open_database, read
from tests.inside import copy_of, desk_for, join, rows, sync, world_of

EMAIL = "alice@example.com"
FAULTS = {
    "internal error": faults.internal_error(),
    "unavailable": faults.unavailable(),
    "bad gateway": faults.bad_gateway(),
    "reset": faults.reset(),
    "truncated": faults.truncated(),
    "gzip cut": faults.gzip_cut(),
    "unauthenticated": faults.unauthenticated(),
    "expired sync token": faults.expired_sync_token(),
}
given_names = st.sampled_from(["Ada", "Bob", "Cyd", "Dan", "Eve"])


class Histories(RuleBasedStateMachine):
    """One account, one user, a store; people and labels come, change, merge, move and go between syncs."""

    people = Bundle("people")
    labels = Bundle("labels")

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        home = Path(self.home.name)
        self.google = Sandbox().__enter__()
        self.account = self.google.world.add_account(EMAIL)
        self.db = open_database(f"sqlite:///{home / 'store.db'}", create=True, upgrade=True)
        self.desk = desk_for(self.google, self.db, home, SYNC__PAGE_SIZE="3")
        self.agreed = False

    @initialize()
    def connect(self) -> None:
        join(self.desk, self.google, "alice", EMAIL)

    @rule(target=people, name=given_names)
    def add(self, name: str) -> str:
        self.agreed = False
        return self.account.add_person(given_name=name, emails=[f"{name}@x.example"])

    @rule(person=people, name=given_names)
    def change(self, person: str, name: str) -> None:
        self.agreed = False
        self.account.change_person(person, given_name=name)

    @rule(person=consumes(people))
    def delete(self, person: str) -> None:
        self.agreed = False
        self.account.delete_person(person)

    @rule(target=people, person=consumes(people))
    def move(self, person: str) -> str:
        self.agreed = False
        return self.account.rename_resource(person)

    @rule(target=people, keep=consumes(people), drop=consumes(people))
    def merge(self, keep: str, drop: str) -> object:
        self.agreed = False
        self.account.merge_people(keep, drop)
        return multiple(keep)

    @rule(target=labels, number=st.integers(0, 99))
    def add_label(self, number: int) -> object:
        self.agreed = False
        if f"Label {number}" in {label["name"] for label in self.account.labels().values()}:
            return multiple()
        return self.account.add_label(f"Label {number}")

    @rule(label=consumes(labels))
    def delete_label(self, label: str) -> None:
        self.agreed = False
        self.account.delete_label(label)

    @rule(person=people, label=labels)
    def label(self, person: str, label: str) -> None:
        self.agreed = False
        self.account.label(person, label)

    @rule(person=people, label=labels)
    def unlabel(self, person: str, label: str) -> None:
        self.agreed = False
        self.account.unlabel(person, label)

    @rule()
    def expire_sync_tokens(self) -> None:
        self.account.expire_sync_tokens()

    @rule()
    def expire_access_tokens(self) -> None:
        self.account.expire_access_tokens()

    @rule(
        kind=st.sampled_from(sorted(FAULTS)),
        where=st.sampled_from(["people", "groups"]),
        nth=st.integers(1, 3),
    )
    def plan_trouble(self, kind: str, where: Where, nth: int) -> None:
        self.google.faults.add(where, FAULTS[kind], nth=nth)

    @rule(full=st.booleans())
    def sync(self, full: bool) -> None:
        with read(self.db) as tx:
            connection = connections.get(tx, "alice")
        if connection and connection.status is not ConnectionStatus.CONNECTED:
            join(self.desk, self.google, "alice", EMAIL)
        outcome = sync(self.desk, "alice", full=full)
        self.agreed = outcome.run.status is RunStatus.SUCCEEDED
        self.google.faults.clear()
        assert self.agreed or outcome.error is not None

    @invariant()
    def the_copy_equals_the_world_after_a_success(self) -> None:
        if self.agreed:
            assert copy_of(self.db, "alice") == world_of(self.google, EMAIL)
            ids = rows(self.db, "SELECT id FROM contacts")
            assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        close(self.db)
        self.google.__exit__(None, None, None)
        self.home.cleanup()


Histories.TestCase.settings = settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck))
TestHistories = Histories.TestCase
