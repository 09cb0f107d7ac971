"""The nouns. Frozen; no dict crosses a file boundary. Every instant is UTC and aware, every duration a timedelta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class ConnectionStatus(StrEnum):
    """Where a user's link to Google stands."""

    CONNECTED = "connected"
    NEEDS_REAUTH = "needs_reauth"
    DISCONNECTED = "disconnected"


class RunKind(StrEnum):
    """How much a run reads."""

    FULL = "full"
    INCREMENTAL = "incremental"


class Trigger(StrEnum):
    """Who asked for a run."""

    SCHEDULE = "schedule"
    CONNECT = "connect"
    MANUAL = "manual"
    CATCH_UP = "catch_up"
    RETRY = "retry"


class RunStatus(StrEnum):
    """A run's life: queued -> running -> succeeded | failed | cancelled."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True for the three ends."""
        return self in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A standard five-field crontab expression in an IANA time zone."""

    cron: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which lengths the interval from run to run adapts; equal ones fix it. Whole minutes."""

    shortest: timedelta
    longest: timedelta

    @property
    def are_fixed(self) -> bool:
        """True where there is nothing to adapt."""
        return self.shortest == self.longest


@dataclass(frozen=True, slots=True)
class OwnSchedule:
    """What a user has instead of the configured schedule: a crontab expression or, with `bounds`, intervals.

    None where the configured default holds.
    """

    cron: str | None = None
    timezone: str | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """Where a user stands who is due at intervals.

    `bounds` and `interval` are None for a user of crontab's who is synced hourly until `hourly_until`, besides.
    `slot_at` is the latest slot that was queued, from which the next is counted; `next_slot_at` is None where none is
    to come; `owed_since` is the oldest slot that no success has answered.
    """

    user_id: str
    bounds: Bounds | None
    interval: timedelta | None
    quiet_runs: int
    hourly_until: datetime | None
    slot_at: datetime
    next_slot_at: datetime | None
    owed_since: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """A Google account: `sub` is its stable id, the e-mail may change."""

    sub: str
    email: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What Google gave for one user. Secrets stay out of `repr`.

    Access by domain-wide delegation has no refresh token but the `service_account`'s JSON key, and the `subject`
    (e-mail address) it speaks for.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...]
    refresh_expires_at: datetime | None = None
    service_account: str = field(default="", repr=False)
    subject: str = ""


@dataclass(frozen=True, slots=True)
class SealedGrant:
    """A grant as the store keeps it; `version` grows by one at each replacement. `account` is the `sub` of the
    Google account that it is for.
    """

    user_id: str
    sealed: str = field(repr=False)
    version: int
    account: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A user's link to one Google account. `cron` and `timezone` are None where the configured default holds;
    slots before `scheduled_since` (the latest connect or change of schedule) were never promised.
    """

    user_id: str
    google_account: str
    google_sub: str
    status: ConnectionStatus
    cron: str | None
    timezone: str | None
    connected_at: datetime
    disconnected_at: datetime | None
    reauth_reason: str | None
    scheduled_since: datetime


@dataclass(frozen=True, slots=True)
class SyncState:
    """Where a user's sync stands; all None and zero before the first sync and after a disconnect."""

    user_id: str
    contacts_sync_token: str | None = field(default=None, repr=False)
    groups_sync_token: str | None = field(default=None, repr=False)
    request_fingerprint: str | None = None
    last_status: str | None = None
    last_error: str | None = None
    last_full_sync_at: datetime | None = None
    last_incremental_sync_at: datetime | None = None
    last_success_at: datetime | None = None
    consecutive_failures: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run truly changed."""

    contacts_imported: int = 0
    contacts_updated: int = 0
    contacts_deleted: int = 0
    groups_imported: int = 0
    groups_updated: int = 0
    groups_deleted: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Run:
    """One sync of one user: a row of `sync_runs`."""

    id: int
    user_id: str
    kind: RunKind
    trigger: Trigger
    status: RunStatus
    slot: str | None
    not_before: datetime
    attempts: int
    starts: int
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    counters: Counters
    error_type: str | None
    error_message: str | None
    error_traceback: str | None
    worker_id: str | None
    lease_expires_at: datetime | None
    deferrals: int
    deferred_since: datetime | None
    take_backs: int
    approves_run_id: int | None


@dataclass(frozen=True, slots=True)
class Node:
    """A process that runs syncs: a daemon, or a `run-now` without one."""

    worker_id: str
    role: str  # "daemon" or "command"
    host: str
    boot_id: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class End:
    """How and when a run ended. `error_type` is None for a success."""

    user_id: str
    error_type: str | None
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """What keeps everybody's runs waiting: the operator's trouble, or an outage."""

    error_type: str
    message: str
    hint: str
    since: datetime
    next_probe_at: datetime


class Step(StrEnum):
    """What a dead man's switch is told of a round: that it begins, or how it ended."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Ping:
    """What the dead man's switch is told of the latest round. `round_at` is the round's slot, `begun_at` when somebody
    noticed; `trouble` says why the latest of so many `attempts` was in vain.
    """

    round_at: datetime
    begun_at: datetime
    step: Step
    summary: str
    attempts: int
    next_try_at: datetime
    delivered_at: datetime | None
    trouble: str | None


class Email(NamedTuple):
    """One e-mail address of a person, in Google's order. A plain tuple, as phones: there are very many of them."""

    value: str
    type: str | None = None
    is_primary: bool = False


class Phone(NamedTuple):
    """One phone number as typed; `canonical` is E.164 where Google could parse it."""

    value: str
    canonical: str | None = None
    type: str | None = None
    is_primary: bool = False


class Person(NamedTuple):
    """A contact as we keep it. `etag` and `source_id` are the CONTACT source's; `payload` is Google's JSON text."""

    resource_name: str
    source_id: str | None
    etag: str | None
    payload: str
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    nickname: str | None = None
    organization: str | None = None
    job_title: str | None = None
    birthday: str | None = None
    notes: str | None = None
    photo_url: str | None = None
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    memberships: frozenset[str] = frozenset()  # resource names of groups
    previous_resource_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Private data, and long."""
        return f"Person({self.resource_name!r})"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of `people.connections.list`, in Google's order. `gone` are the tombstones' resource names;
    `entries` keeps the order of both, since the last word about a name in a listing is the one that counts.
    `unreadable` is the JSON text of items that carry no resource name at all. `total` is how many items Google says
    the whole listing has.
    """

    entries: tuple[Person | str, ...]  # a person, or the resource name of a tombstone
    next_page_token: str | None
    next_sync_token: str | None
    unreadable: tuple[str, ...] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A label. `group_type` is `user` or `system`."""

    resource_name: str
    name: str
    group_type: str


@dataclass(frozen=True, slots=True)
class Groups:
    """A complete listing of a user's labels."""

    groups: tuple[Group, ...]
    sync_token: str | None


class KnownContact(NamedTuple):
    """What the store holds of a contact, as far as a plan needs it. `memberships` are resource names of groups."""

    id: int
    resource_name: str
    source_id: str | None
    etag: str | None
    memberships: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """What the store holds of a label."""

    id: int
    resource_name: str
    name: str
    group_type: str


@dataclass(frozen=True, slots=True)
class ContactUpdate:
    """A contact to write over the row `id`, and what of it: most changes are small, and what stays costs its indexes.

    `counts` is False where only bookkeeping (an etag) is refreshed, `moves` where resource name and source id stay,
    `lists` where e-mail addresses and phone numbers do, `words` where all does that a search looks at.
    """

    id: int
    person: Person
    counts: bool = True
    moves: bool = True
    lists: bool = True
    words: bool = True


@dataclass(frozen=True, slots=True)
class Changes:
    """What one page changes. `members` maps contact ids to the whole new set of group resource names and covers
    unchanged and updated contacts alike; an inserted person brings its own.
    """

    inserts: tuple[Person, ...] = ()
    updates: tuple[ContactUpdate, ...] = ()
    members: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @property
    def counters(self) -> Counters:
        """What these changes count for."""
        return Counters(
            contacts_imported=len(self.inserts),
            contacts_updated=sum(update.counts for update in self.updates),
        )


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What a listing of labels changes: rows to insert, `(id, group)` to write over, ids to remove."""

    inserts: tuple[Group, ...] = ()
    updates: tuple[tuple[int, Group], ...] = ()
    removals: tuple[int, ...] = ()

    @property
    def counters(self) -> Counters:
        """What these changes count for."""
        return Counters(
            groups_imported=len(self.inserts),
            groups_updated=len(self.updates),
            groups_deleted=len(self.removals),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one claim of a run ended: an end of the run, or `queued` again with the time to go on."""

    run: Run
    error: Exception | None = None
    seconds: float = 0.0
