"""What history says about everybody's syncs, counted by the database: a hundred thousand users stay cheap.

A user's state is told as signs, a few bits; what they mean is decided in `health/`. Disconnected users aren't counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, Text, and_, case, func, literal, or_, select

from contacts_sync.errors import MassDeletion
from contacts_sync.model import ConnectionStatus, Run, RunStatus, Schedule
from contacts_sync.store import dialect
from contacts_sync.store.columns import Instant
from contacts_sync.store.run_rows import run_of
from contacts_sync.store.tables import connections, interval_schedules, sync_runs, sync_states
from contacts_sync.store.transactions import Transaction

LONGEST_MESSAGE = 300
MOST_TROUBLES = 500
BY_CRONTAB = interval_schedules.c.interval_minutes.is_(None)


class Sign(IntFlag):
    """What the store shows of a user who is connected, or was until the grant died."""

    NEEDS_REAUTH = 1
    FAILING = 2  # the latest run that came to an end failed
    PARKED = 4  # and was a mass deletion: it waits for somebody's approval
    NEVER = 8  # no success since connecting
    UNSCHEDULED = 16  # the schedule can't be read
    OVERDUE = 32  # no success since the slot that should long be done
    STALE = 64  # no success within the freshness objective


TROUBLE = Sign.NEEDS_REAUTH | Sign.FAILING | Sign.UNSCHEDULED | Sign.OVERDUE


@dataclass(frozen=True, slots=True)
class Deadline:
    """The newest slot of a schedule that should be done by now; None for a schedule that can't be read."""

    schedule: Schedule
    slot_at: datetime | None


@dataclass(frozen=True, slots=True)
class Yardstick:
    """By what everybody is measured: whose copy should be newer than which instant.

    A slot at intervals, of which each user has others, should be done if it is no later than `done_by`.
    """

    default: Schedule
    deadlines: Sequence[Deadline]
    fresh_since: datetime
    done_by: datetime


@dataclass(frozen=True, slots=True)
class Census:
    """How many users show the same signs, and since when the most stale of them is as it is."""

    signs: Sign
    users: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """How many users show the same signs with the same error, and the first of them."""

    signs: Sign
    error_type: str | None
    message: str | None
    users: int
    example: str


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user, as a list shows it. `since` is the latest success, or when the user was connected."""

    user_id: str
    google_account: str
    signs: Sign
    cron: str
    timezone: str
    last_success_at: datetime | None
    since: datetime
    consecutive_failures: int
    error_type: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Want:
    """Which users are asked for: with one of these signs (None: any), whose id or account contains a text."""

    signs: Collection[Sign] | None = None
    text: str = ""


# -- everybody


def schedules(tx: Transaction, default: Schedule) -> list[tuple[Schedule, int]]:
    """The distinct crontabs of connected users, and how many users have each."""
    cron, zone = _schedule(default)
    query = (
        select(cron, zone, func.count())
        .select_from(connections.outerjoin(interval_schedules, interval_schedules.c.user_id == connections.c.user_id))
        .where(connections.c.status == ConnectionStatus.CONNECTED, BY_CRONTAB)
        .group_by(cron, zone)
        .order_by(cron, zone)
    )
    return [(Schedule(row[0], row[1]), row[2]) for row in tx.execute(query)]


def count(tx: Transaction) -> int:
    """How many users there are who aren't disconnected."""
    return tx.execute(select(func.count()).select_from(connections).where(_is_counted())).scalar_one()


def census(tx: Transaction, by: Yardstick) -> list[Census]:
    """Everybody, by signs."""
    seen = everybody(tx, by)
    query = select(seen.c.signs, func.count(), func.min(seen.c.since)).group_by(seen.c.signs)
    return [Census(Sign(row[0]), row[1], row[2]) for row in tx.execute(query)]


def most_stale(tx: Transaction) -> tuple[str, datetime] | None:
    """The user whose copy is the oldest, and since when (the connecting, for one who was never synced)."""
    since = _since()
    query = select(connections.c.user_id, since).select_from(_linked()).where(_is_counted())
    row = tx.execute(query.order_by(since, connections.c.user_id).limit(1)).first()
    return (row[0], row[1]) if row else None


def troubles(tx: Transaction, by: Yardstick) -> list[Trouble]:
    """Users in trouble, grouped by signs and error, the largest groups first."""
    seen = everybody(tx, by)
    count = func.count().label("users")
    query = (
        select(seen.c.signs, seen.c.error_type, seen.c.message, count, func.min(seen.c.user_id))
        .where(seen.c.signs.bitwise_and(int(TROUBLE)) > 0)
        .group_by(seen.c.signs, seen.c.error_type, seen.c.message)
        .order_by(count.desc())
        .limit(MOST_TROUBLES)
    )
    return [Trouble(Sign(row[0]), *row[1:]) for row in tx.execute(query)]


def grave_troubles(tx: Transaction, by: Yardstick, *, failures: int) -> list[Trouble]:
    """The same without those who have failed fewer than so many times in a row, and for whom nothing else is wrong.

    Grouped by the class of the error, whatever it says: the message is one of them.
    """
    seen = everybody(tx, by)
    others = int(TROUBLE ^ Sign.FAILING | Sign.PARKED)
    is_grave = or_(seen.c.signs.bitwise_and(others) > 0, seen.c.consecutive_failures >= failures)
    query = (
        select(seen.c.signs, seen.c.error_type, func.min(seen.c.message), func.count(), func.min(seen.c.user_id))
        .where(seen.c.signs.bitwise_and(int(TROUBLE)) > 0, is_grave)
        .group_by(seen.c.signs, seen.c.error_type)
        .order_by(seen.c.signs, seen.c.error_type)
    )
    return [Trouble(Sign(row[0]), *row[1:]) for row in tx.execute(query)]


# -- some


def page_of_users(
    tx: Transaction,
    by: Yardstick,
    want: Want,
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
) -> list[UserRow]:
    """At most `limit` users by id: the first ones, the next ones `after` an id, or the last ones `before` one."""
    seen = _seen(_facts(tx, by).subquery("facts"), by)
    query = _wanted(select(seen), seen, want)
    if after is not None:
        query = query.where(seen.c.user_id > after)
    if before is not None:
        query = query.where(seen.c.user_id < before)
    query = query.order_by(seen.c.user_id.desc() if before is not None else seen.c.user_id).limit(limit)
    found = [_user(row) for row in tx.execute(query).mappings()]
    return found[::-1] if before is not None else found


def one_user(tx: Transaction, by: Yardstick, user_id: str) -> UserRow | None:
    """One user who isn't disconnected."""
    seen = _seen(_facts(tx, by).where(connections.c.user_id == user_id).subquery("facts"), by)
    row = tx.execute(select(seen)).mappings().first()
    return _user(row) if row else None


def history(tx: Transaction, user_id: str, *, limit: int, before: int | None = None) -> list[Run]:
    """At most `limit` runs of a user, the newest first, older than the run `before`."""
    query = select(sync_runs).where(sync_runs.c.user_id == user_id).order_by(sync_runs.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(sync_runs.c.id < before)
    return [run_of(row) for row in tx.execute(query)]


# -- how it is counted


def everybody(tx: Transaction, by: Yardstick) -> Subquery:
    """The facts of all users who aren't disconnected, and their signs, to be counted by a query."""
    return _seen(_facts(tx, by).cte("facts").prefix_with("MATERIALIZED"), by)


def _seen(facts: FromClause, by: Yardstick) -> Subquery:
    """The facts of users, and the signs that follow from them.

    Facts that are grouped come materialized: SQLite looks schedules up by an index of its own making only then.
    """
    missed = and_(
        facts.c.due_at > facts.c.scheduled_since,
        or_(facts.c.last_success_at.is_(None), facts.c.last_success_at < facts.c.due_at),
    )
    late = or_(missed, facts.c.owed_since <= literal(by.done_by, Instant()))
    stale = or_(facts.c.last_success_at.is_(None), facts.c.last_success_at < literal(by.fresh_since, Instant()))
    linked = facts.c.status == ConnectionStatus.CONNECTED
    signs = (
        _bit(Sign.NEEDS_REAUTH, facts.c.status == ConnectionStatus.NEEDS_REAUTH)
        + _bit(Sign.FAILING, facts.c.error_type.is_not(None))
        + _bit(Sign.PARKED, facts.c.error_type == MassDeletion.__name__)
        + _bit(Sign.NEVER, facts.c.last_success_at.is_(None))
        + _bit(Sign.UNSCHEDULED, and_(linked, facts.c.by_crontab, facts.c.due_at.is_(None)))
        + _bit(Sign.OVERDUE, and_(linked, late))
        + _bit(Sign.STALE, stale)
    )
    return select(facts, signs.label("signs")).subquery("seen")


def _facts(tx: Transaction, by: Yardstick) -> Select[Any]:
    """Everybody who counts, a row each."""
    cron, zone = _schedule(by.default)
    rows = [(one.schedule.cron, one.schedule.timezone, one.slot_at) for one in by.deadlines]
    due = dialect.given_rows(tx, "due", {"cron": Text(), "timezone": Text(), "at": Instant()}, rows)
    reauth = connections.c.status == ConnectionStatus.NEEDS_REAUTH
    failing = sync_states.c.last_status == RunStatus.FAILED
    message = case((reauth, connections.c.reauth_reason), (failing, sync_states.c.last_error))
    return (
        select(
            connections.c.user_id,
            connections.c.google_account,
            connections.c.status,
            connections.c.scheduled_since,
            cron.label("cron"),
            zone.label("timezone"),
            sync_states.c.last_success_at,
            _since().label("since"),
            func.coalesce(sync_states.c.consecutive_failures, 0).label("consecutive_failures"),
            case((failing, func.coalesce(_latest_error(), ""))).label("error_type"),
            func.substr(message, 1, LONGEST_MESSAGE).label("message"),
            due.c.at.label("due_at"),
            interval_schedules.c.owed_since,
            BY_CRONTAB.label("by_crontab"),
        )
        .select_from(
            _linked()
            .outerjoin(interval_schedules, interval_schedules.c.user_id == connections.c.user_id)
            .outerjoin(due, and_(BY_CRONTAB, due.c.cron == cron, due.c.timezone == zone))
        )
        .where(_is_counted())
    )


def _linked() -> Any:
    return connections.outerjoin(sync_states, sync_states.c.user_id == connections.c.user_id)


def _is_counted() -> ColumnElement[bool]:
    return connections.c.status != ConnectionStatus.DISCONNECTED


def _schedule(default: Schedule) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Literals, so that a database sees that what is selected is what is grouped by."""
    return (
        func.coalesce(connections.c.cron, literal(default.cron, literal_execute=True)),
        func.coalesce(connections.c.timezone, literal(default.timezone, literal_execute=True)),
    )


def _since() -> ColumnElement[datetime]:
    return func.coalesce(sync_states.c.last_success_at, connections.c.connected_at, type_=Instant())


def _latest_error() -> ColumnElement[str]:
    ended = sync_runs.c.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED))
    return (
        select(sync_runs.c.error_type)
        .where(sync_runs.c.user_id == connections.c.user_id, ended)
        .order_by(sync_runs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _bit(sign: Sign, shown: ColumnElement[bool]) -> ColumnElement[int]:
    return case((shown, int(sign)), else_=0)


def _wanted(query: Select[Any], seen: Subquery, want: Want) -> Select[Any]:
    if want.signs is not None:
        query = query.where(seen.c.signs.in_([int(sign) for sign in want.signs]))
    if want.text:
        text = want.text.lower()
        query = query.where(
            or_(
                func.lower(seen.c.user_id).contains(text, autoescape=True),
                func.lower(seen.c.google_account).contains(text, autoescape=True),
            )
        )
    return query


def _user(row: Any) -> UserRow:
    return UserRow(**{name: row[name] for name in UserRow.__slots__ if name != "signs"}, signs=Sign(row["signs"]))
