"""Two users, their Google accounts, a store, an operator: whatever happens in whatever order, the copies are true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from contacts_sync.cli.again import approved
from contacts_sync.daemon.workers import new_worker_id
from contacts_sync.errors import ConsentFailed, ContactsSyncError, SyncError
from contacts_sync.google.oauth import SCOPES
from contacts_sync.model import Account as Identity
from contacts_sync.model import Connection, ConnectionStatus, Grant, Outcome, Run, RunKind, RunStatus, Trigger
from contacts_sync.sandbox import Account, Sandbox, faults
from contacts_sync.sandbox.rules import Where
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import Database, read, write
from contacts_sync.sync.connecting import connect, disconnect
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.run import carry_out
from tests.inside import copy_of, desk_for, rows, world_of
from tests.proof.clock import Clock, Waits
from tests.proof.line import Line, shortened

LINKED = (ConnectionStatus.CONNECTED, ConnectionStatus.NEEDS_REAUTH)
FAULTS: dict[str, faults.Fault] = {
    "500": faults.internal_error(),
    "503": faults.unavailable("90"),
    "page of a gateway": faults.bad_gateway(),
    "reset": faults.reset(),
    "lost answer": faults.lost_answer(),
    "truncated": faults.truncated(),
    "gzip cut": faults.gzip_cut(),
    "401": faults.unauthenticated(),
    "429": faults.too_many_requests("30"),
    "rate limit": faults.quota_forbidden(),
    "scope": faults.scope_insufficient(),
    "disabled": faults.service_disabled(),
    "expired": faults.expired_sync_token(),
    "gone": faults.gone_sync_token(),
    "invalid": faults.invalid_argument(),
    "no sync token": faults.edited(lambda page: page.pop("nextSyncToken", None)),
    "nothing": faults.edited(lambda page: [page.pop(name, None) for name in ("connections", "totalItems")]),
    "doubled": faults.edited(lambda page: page.update(connections=page.get("connections", []) * 2)),
}
TOKEN_FAULTS = {
    "500": faults.internal_error(),
    "reset": faults.reset(),
    "lost answer": faults.lost_answer(),
    "invalid_grant": faults.invalid_grant(),
    "invalid_client": faults.invalid_client(),
}


class Killed(BaseException):
    """The process dies here: nothing of it runs any more."""


@dataclass
class Place:
    """Where histories play, one after the other: a sandbox, a store, a clock. Each finds it empty, at the same time,
    so that the same choices lead to the same history.
    """

    google: Sandbox
    db: Database
    desk: Desk
    line: Line
    clock: Clock
    began: datetime
    counted: Counter[str] = field(default_factory=Counter)


def open_place(google: Sandbox, db: Database, home: Path) -> Place:
    clock, line = Clock(), Line(google)
    google.world.clock = clock
    made = desk_for(google, db, home, SYNC__PAGE_SIZE="3", SYNC__BACKOFF="2s,4s", SYNC__MASS_DELETE_MINIMUM="3")
    desk = shortened(replace(made, clock=clock, stop=Waits(clock)), line)
    return Place(google, db, desk, line, clock, clock.now)


def clear(place: Place) -> None:
    place.google.world._accounts.clear()
    place.google.world.add_account("somebody.else@x.example")
    place.google.faults.clear()
    place.google.requests.clear()
    place.clock.now = place.began
    with write(place.db) as tx:
        for known in connections.every(tx):
            connections.purge(tx, known.user_id)
        nodes.lift_pause(tx)


@dataclass
class User:
    """What the model knows of a user. `people` in the last copy known to be true: local ids and etags by source id."""

    name: str
    account: Account
    people: dict[str, tuple[int, str]] = field(default_factory=dict)
    since: int = 0  # runs that have begun since
    untouched: bool = False  # whether nobody meddled: what was counted then is exact
    true: bool = False
    deceived: bool = False  # by a listing that was falsified: only the next full one can tell
    parked: int = 0  # the run that waits for an approval


class Histories(RuleBasedStateMachine):
    """The rules; `place` is set by a subclass."""

    place: ClassVar[Place]

    def __init__(self) -> None:
        super().__init__()
        clear(self.place)
        self.desk = self.place.desk
        self.google, self.db, self.clock = self.place.google, self.place.db, self.place.clock
        self.users: list[User] = []
        self.grown = 0

    def _user(self, who: str) -> User:
        return User(who, self.google.world.add_account(f"{who}@x.example"))

    @initialize(people=st.integers(0, 9), names=st.sampled_from([("ann",), ("ann",), ("ann", "ben")]))
    def begin(self, people: int, names: tuple[str, ...]) -> None:
        self.users = [self._user(name) for name in names]
        for user in self.users:
            for _ in range(people):
                self.add(user)
            self._connect(user)

    def _who(self, number: int) -> User:
        return self.users[number % len(self.users)]

    # -- what happens at Google

    def add(self, user: User, label: str | None = None) -> None:
        self.grown += 1
        labels = (label,) if label else ()
        user.account.add_person(given_name=f"P{self.grown}", emails=[f"p{self.grown}@x.example"], labels=labels)

    @rule(data=st.data(), who=st.integers(0, 1))
    def edit(self, data: st.DataObject, who: int) -> None:
        self._edit(self._who(who), *self._drawn_edit(self._who(who), data))

    def _drawn_edit(self, user: User, data: st.DataObject) -> tuple[list[str], str, int, str, str, bool]:
        """What is to be edited. Hypothesis is only asked in its own thread; a sync may ask Google in another."""
        people = sorted(user.account.people(()))
        kinds = ["add"] if not people else ["add", "labelled", "change", "delete", "move", "merge", "wipe", "relabel"]
        kind = data.draw(st.sampled_from([*kinds, "rename label", "delete label"]), label="edit")
        one = data.draw(st.integers(0, max(0, len(people) - 1)), label="person") if people else 0
        label = f"L{data.draw(st.integers(0, 3), label='label')}"
        name = data.draw(st.sampled_from("ABC"), label="name") if kind == "change" else ""
        touches = kind == "delete label" and data.draw(st.booleans(), label="touches members")
        return people, kind, one, label, name, touches

    def _edit(  # noqa: C901  (a table, a row an edit)
        self, user: User, people: list[str], kind: str, one: int, label: str, name: str, touches: bool
    ) -> None:
        user.true, account = False, user.account
        owned = label in {found["name"] for found in account.labels().values()}
        if kind == "add":
            self.add(user)
        elif kind == "labelled":
            self.add(user, label)
        elif kind == "change":
            account.change_person(people[one], given_name=name)
        elif kind == "delete":
            account.delete_person(people[one])
        elif kind == "move":
            account.rename_resource(people[one])
        elif kind == "merge" and len(people) > 1:
            account.merge_people(people[one], people[one - 1])
        elif kind == "wipe":
            for person in people[one:]:
                account.delete_person(person)
        elif kind == "relabel":
            account.change_person(people[one], labels=(label,))
        elif kind == "rename label" and owned:
            self.grown += 1
            account.rename_label(label, f"N{self.grown}")
        elif kind == "delete label" and owned:
            account.delete_label(label, touches_members=touches)

    @rule(who=st.integers(0, 1), what=st.sampled_from(["sync tokens", "access tokens", "grants"]))
    def expire(self, who: int, what: str) -> None:
        account = self._who(who).account
        ends: dict[str, Callable[[], None]] = {
            "sync tokens": account.expire_sync_tokens,
            "access tokens": account.expire_access_tokens,
            "grants": account.revoke_grants,
        }
        ends[what]()

    @rule(hours=st.sampled_from([1, 24, 24 * 6, 24 * 8]))
    def time_passes(self, hours: int) -> None:
        self.clock.now += timedelta(hours=hours)

    @rule(
        who=st.integers(0, 1),
        kind=st.sampled_from(sorted(FAULTS)),
        where=st.sampled_from(["people", "groups"]),
        nth=st.integers(1, 4),
        times=st.integers(1, 4),
    )
    def trouble(self, who: int, kind: str, where: Where, nth: int, times: int) -> None:
        self.google.faults.add(where, FAULTS[kind], account=self._who(who).account.email, nth=nth, times=times)

    @rule(who=st.integers(0, 1), kind=st.sampled_from(sorted(TOKEN_FAULTS)), times=st.integers(1, 3))
    def trouble_with_tokens(self, who: int, kind: str, times: int) -> None:
        self.google.faults.add("token", TOKEN_FAULTS[kind], account=self._who(who).account.email, times=times)

    # -- what the operator types

    @rule(who=st.integers(0, 1), other=st.booleans(), switch=st.booleans())
    def connects(self, who: int, other: bool, switch: bool) -> None:
        user = self._who(who)
        if other and not switch and self._connection(user):
            account = self.google.world.accounts()[-1 - who]
            if account.email != user.account.email:
                self._refused(user, account)
        else:
            self._connect(user)

    def _refused(self, user: User, other: Account) -> None:
        try:
            self._grant(user, other)
        except ContactsSyncError:
            return
        raise AssertionError("another account was taken without --switch-account")

    def _connect(self, user: User) -> None:
        user.untouched = user.true = False
        try:
            self._grant(user, user.account)
        except (SyncError, ConsentFailed) as refused:
            self.place.counted[f"connect: {type(refused).__name__}"] += 1

    def _grant(self, user: User, account: Account) -> None:
        grants, scopes = self.google.world.grants, (*SCOPES,)
        now = self.clock()
        access, fresh = grants.issue_access(account.email, scopes), grants.issue_refresh(account.email, scopes)
        grant = Grant(access, fresh, now + timedelta(seconds=3599), scopes)
        identity = Identity(account.sub, account.email)
        connect(self.desk, user_id=user.name, grant=grant, account=identity, schedule=None, switch_account=False)

    @rule(who=st.integers(0, 1), purge=st.booleans(), keep_grant=st.booleans())
    def disconnects(self, who: int, purge: bool, keep_grant: bool) -> None:
        user = self._who(who)
        known = self._connection(user)
        if known is None or known.status not in LINKED:
            return
        done = disconnect(self.desk, user.name, keep_grant=keep_grant, purge=purge)
        user.untouched = user.true = False
        assert not rows(self.db, "SELECT 1 FROM oauth_tokens WHERE user_id = :user", user=user.name)
        assert not rows(self.db, ACTIVE, user=user.name)
        if purge:
            assert done.contacts_kept == 0
            user.people, user.parked = {}, 0

    @rule(who=st.integers(0, 1), full=st.booleans(), slot=st.booleans())
    def queue(self, who: int, full: bool, slot: bool) -> None:
        if self._is_connected(self._who(who)):
            self._queue(self._who(who), full=full, slot=f"{self.clock():%Y-%m-%dT%H}:00[UTC]" if slot else None)

    def _queue(self, user: User, *, full: bool = False, slot: str | None = None) -> Run:
        kind = RunKind.FULL if full else RunKind.INCREMENTAL
        trigger = Trigger.SCHEDULE if slot else Trigger.MANUAL
        with write(self.db) as tx:
            run, _ = runs.enqueue(tx, user_id=user.name, kind=kind, trigger=trigger, now=self.clock(), slot=slot)
        return run

    @rule(who=st.integers(0, 1), full=st.booleans())
    def sync(self, who: int, full: bool) -> None:
        """`run-now`."""
        if self._is_connected(self._who(who)):
            self._run(self._who(who), self._queue(self._who(who), full=full))

    @rule(who=st.integers(0, 1), nth=st.integers(1, 8), data=st.data())
    def sync_while_google_changes(self, who: int, nth: int, data: st.DataObject) -> None:
        user = self._who(who)
        if not self._is_connected(user):
            return
        run = self._queue(user)
        drawn = self._drawn_edit(user, data)
        self._at_request(nth, lambda: self._edit(user, *drawn))
        self._run(user, run, compare=False)
        user.untouched = False

    @rule(who=st.integers(0, 1), nth=st.integers(1, 8))
    def sync_is_killed(self, who: int, nth: int) -> None:
        user = self._who(who)
        if not self._is_connected(user):
            return
        run = self._queue(user)
        self._at_request(nth, _die)
        try:
            self._run(user, run)
        except Killed:
            self.place.counted["kills"] += 1
            user.true = False
            with write(self.db) as tx:
                runs.take_back_dead(tx, [self.desk.worker_id], self.clock())
            self.desk = replace(self.desk, worker_id=new_worker_id())
        finally:
            self.place.line.before = None

    @rule(who=st.integers(0, 1), nth=st.integers(1, 8), purge=st.booleans())
    def disconnect_during_a_sync(self, who: int, nth: int, purge: bool) -> None:
        user = self._who(who)
        if not self._is_connected(user):
            return
        run, reached = self._queue(user), Counter[str]()

        def cut() -> None:
            reached["cut"] += 1
            self.disconnects(who, purge, keep_grant=True)

        self._at_request(nth, cut)
        outcome = self._run(user, run, compare=False)
        if reached["cut"] and outcome:
            assert outcome.run.status in (RunStatus.CANCELLED, RunStatus.RUNNING), outcome
            assert not purge or not rows(self.db, "SELECT 1 FROM contacts WHERE user_id = :user", user=user.name)

    def _at_request(self, nth: int, act: Callable[[], object]) -> None:
        seen = count(1)

        def before() -> None:
            if next(seen) == nth:
                self.place.line.before = None
                act()

        self.place.line.before = before

    @precondition(lambda self: any(user.parked for user in self.users))
    @rule()
    def approve(self) -> None:
        user = next(user for user in self.users if user.parked)
        if self._is_connected(user):
            self._approve(user)

    def _approve(self, user: User) -> None:
        with write(self.db) as tx:
            approved(tx, user.parked)
        user.parked = 0
        self.place.counted["approvals"] += 1

    # -- a run, and what must hold then

    def _run(self, user: User, run: Run, *, compare: bool = True) -> Outcome | None:
        self._probe()
        self.clock.now = max(self.clock.now, run.not_before)
        with write(self.db) as tx:
            claimed = runs.claim(
                tx,
                worker_id=self.desk.worker_id,
                now=self.clock(),
                lease=timedelta(days=30),
                limit=1,
                run_ids=[run.id],
            )
        if not claimed:
            return None
        user.since += 1
        before = self._sums(user)
        outcome = carry_out(claimed[0], self.desk)
        self.place.line.before = None
        self.place.counted["runs"] += 1
        self.place.counted[str(outcome.run.status)] += 1
        user.parked = outcome.run.id if outcome.run.error_type == "MassDeletion" else 0
        assert outcome.error is None or isinstance(outcome.error, ContactsSyncError), outcome.error
        if outcome.run.status is RunStatus.SUCCEEDED:
            user.deceived = self._tampered(user) or (user.deceived and outcome.run.kind is RunKind.INCREMENTAL)
            if user.deceived:
                user.people, user.untouched = {}, False  # whom a lie took away comes back as somebody else
            elif compare:
                self._agrees(user, before)
        return outcome

    def _probe(self) -> None:
        """While everybody is paused, a run a minute may try."""
        with read(self.db) as tx:
            pause = nodes.pause(tx)
        if pause:
            self.clock.now = max(self.clock.now, pause.next_probe_at)

    def _agrees(self, user: User, before: Counter[str]) -> None:
        assert copy_of(self.db, user.name) == world_of(self.google, user.account.email)
        found = rows(self.db, IDS, user=user.name)
        people = {source: (id_, etag) for id_, source, etag in found}
        assert len(people) == len(found)
        changed_ids = {one for one in people.keys() & user.people.keys() if people[one][0] != user.people[one][0]}
        assert not changed_ids
        if user.untouched and user.since == 1:
            self._counted_truly(user, people, self._sums(user) - before)
        user.people, user.since, user.untouched, user.true = people, 0, True, True
        self.place.counted["agreements"] += 1

    def _tampered(self, user: User) -> bool:
        """Whether this account's answers are being falsified just now."""
        mine = [one for one in self.google.faults._rules if one.account == user.account.email and one.fault.edit]
        return any(one.struck for one in mine)

    def _counted_truly(self, user: User, people: dict[str, tuple[int, str]], counted: Counter[str]) -> None:
        old = user.people
        assert counted["imported"] == len(people.keys() - old.keys())
        assert counted["deleted"] == len(old.keys() - people.keys())
        changed = sum(people[one][1] != old[one][1] for one in people.keys() & old.keys())
        assert counted["updated"] == changed, (counted, old, people)
        self.place.counted["exact counts"] += 1

    def _sums(self, user: User) -> Counter[str]:
        imported, updated, deleted = rows(self.db, SUMS, user=user.name)[0]
        return Counter(imported=int(imported), updated=int(updated), deleted=int(deleted))

    def teardown(self) -> None:
        """Trouble ends some day: two runs later all is well."""
        self.google.faults.clear()
        self.place.line.before = None
        for user in self.users:
            self._heal(user)
        self.place.counted["histories"] += 1

    def _heal(self, user: User) -> None:
        for _ in range(3):
            if not self._is_connected(user):
                self._connect(user)
            outcome = self._run(user, self._queue(user, full=user.deceived))
            if user.parked:
                self._approve(user)
            elif outcome and outcome.error is None and user.true:
                return
        raise AssertionError(f"{user.name} isn't healed")

    def _connection(self, user: User) -> Connection | None:
        with read(self.db) as tx:
            return connections.get(tx, user.name)

    def _is_connected(self, user: User) -> bool:
        known = self._connection(user)
        return known is not None and known.status is ConnectionStatus.CONNECTED


def _die() -> Any:
    raise Killed


ACTIVE = "SELECT 1 FROM sync_runs WHERE user_id = :user AND status IN ('queued', 'running')"
IDS = "SELECT id, source_id, resource_name || ' ' || coalesce(etag, '') FROM contacts WHERE user_id = :user"
SUMS = (
    "SELECT coalesce(sum(contacts_imported), 0), coalesce(sum(contacts_updated), 0), coalesce(sum(contacts_deleted), 0)"
    " FROM sync_runs WHERE user_id = :user"
)
