"""What runs there are, were and will be, counted by the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select

from contacts_sync.model import RunStatus
from contacts_sync.store import dialect
from contacts_sync.store.columns import Instant
from contacts_sync.store.tables import IS_ACTIVE, IS_QUEUED, IS_RUNNING, sync_runs
from contacts_sync.store.transactions import Transaction

DURATIONS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)  # seconds: upper bounds of classes of runs


@dataclass(frozen=True, slots=True)
class Queue:
    """The runs that haven't ended: `due` could start now, `oldest_due` since when; quota deferred the `deferred`."""

    running: int
    due: int
    waiting: int
    deferred: int
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True)
class Ended:
    """Runs that ended in one hour, in one way, within one class of durations (an index into `DURATIONS`, or beyond)."""

    hour: datetime
    status: RunStatus
    duration: int
    runs: int


@dataclass(frozen=True, slots=True)
class Recent:
    """What ended since an instant, and the contacts it changed."""

    succeeded: int
    failed: int
    cancelled: int
    contacts_changed: int


def queue(tx: Transaction, now: datetime) -> Queue:
    """The runs that haven't ended."""
    moment = literal(now, Instant())
    due, later = IS_QUEUED & (sync_runs.c.not_before <= moment), IS_QUEUED & (sync_runs.c.not_before > moment)
    deferred = sync_runs.c.deferred_since.is_not(None)
    able_since = case(
        (sync_runs.c.not_before > sync_runs.c.queued_at, sync_runs.c.not_before), else_=sync_runs.c.queued_at
    )
    query = select(
        _how_many(IS_RUNNING),
        _how_many(due),
        _how_many(later & ~deferred),
        _how_many(later & deferred),
        func.min(case((due, able_since)), type_=Instant()),
    ).where(IS_ACTIVE)
    return Queue(*tx.execute(query).one())


def recent(tx: Transaction, since: datetime) -> Recent:
    """What has ended since then."""
    changed = sync_runs.c.contacts_imported + sync_runs.c.contacts_updated + sync_runs.c.contacts_deleted
    query = select(
        *(_how_many(sync_runs.c.status == status) for status in RunStatus if status.ended),
        func.coalesce(func.sum(changed), 0),
    ).where(sync_runs.c.finished_at >= since)
    return Recent(*(int(number) for number in tx.execute(query).one()))


def ended_by_hour(tx: Transaction, since: datetime) -> list[Ended]:
    """What has ended since then, by hour, outcome and duration."""
    seconds = dialect.seconds_between(tx, sync_runs.c.started_at, sync_runs.c.finished_at)
    runs = (
        select(
            dialect.truncated(tx, sync_runs.c.finished_at, "hour").label("hour"),
            sync_runs.c.status,
            seconds.label("seconds"),
        )
        .where(sync_runs.c.finished_at >= since)
        .subquery()
    )
    bounds = [(runs.c.seconds <= bound, number) for number, bound in enumerate(DURATIONS)]
    duration: ColumnElement[int] = case((runs.c.seconds.is_(None), 0), *bounds, else_=len(DURATIONS))
    query = select(runs.c.hour, runs.c.status, duration.label("duration"), func.count()).group_by(
        runs.c.hour, runs.c.status, "duration"
    )
    return [Ended(_instant(f"{row[0]}:00"), RunStatus(row[1]), row[2], row[3]) for row in tx.execute(query)]


def waiting_by_minute(tx: Transaction, now: datetime, until: datetime) -> dict[datetime, int]:
    """How many queued runs may start in each minute from now."""
    minute = dialect.truncated(tx, sync_runs.c.not_before, "minute").label("minute")
    query = (
        select(minute, func.count())
        .where(IS_QUEUED, sync_runs.c.not_before > now, sync_runs.c.not_before < until)
        .group_by("minute")
    )
    return {_instant(row[0]): row[1] for row in tx.execute(query)}


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")
