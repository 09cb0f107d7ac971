"""`interval_schedules`: users who are due at intervals. Each run moves the next slot, so the store is asked who is due.

Locks are taken in one order everywhere: runs, states, connections, then these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from contacts_sync import intervals
from contacts_sync.model import Bounds, Counters, IntervalSchedule, Run, Trigger
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.tables import interval_schedules as table
from contacts_sync.store.tables import is_of
from contacts_sync.store.transactions import Transaction

MINUTE = timedelta(minutes=1)
MINUTES = ("shortest_minutes", "longest_minutes", "interval_minutes")
MOVING = ("hourly_until", "slot_at", "next_slot_at", "owed_since")
ONE = select(table).where(table.c.user_id == bindparam("of_user"))
ONE_LOCKED = Prepared(ONE.with_for_update())
AS_THEY_ARE = ("user_id", "quiet_runs", *MOVING)

# -- reading


def get(tx: Transaction, user_id: str) -> IntervalSchedule | None:
    """A user's schedule; None for one of crontab's whose first day is over."""
    row = tx.execute(ONE, {"of_user": user_id}).mappings().first()
    return _schedule(row) if row else None


def every(tx: Transaction, user_id: str | None = None) -> dict[str, IntervalSchedule]:
    """Everybody's (or the given user's), by user id."""
    found = tx.execute(select(table).where(is_of(table, user_id))).mappings()
    return {row["user_id"]: _schedule(row) for row in found}


def users(tx: Transaction) -> set[str]:
    """Who is due at intervals and not by crontab."""
    return set(tx.execute(select(table.c.user_id).where(table.c.interval_minutes.is_not(None))).scalars())


def next_at(tx: Transaction) -> datetime | None:
    """When the next user is due."""
    return tx.execute(select(func.min(table.c.next_slot_at, type_=table.c.next_slot_at.type))).scalar()


def due(tx: Transaction, now: datetime, limit: int) -> list[IntervalSchedule]:
    """Some of those who are due, the most overdue first."""
    query = select(table).where(table.c.next_slot_at <= now).order_by(table.c.next_slot_at).limit(limit)
    return [_schedule(row) for row in tx.execute(query).mappings()]


def herds(tx: Transaction, until: datetime) -> list[tuple[IntervalSchedule, int]]:
    """Whose next slot comes before `until`: nameless schedules with the same slots, and how many users have each."""
    alike = (table.c.next_slot_at, table.c.interval_minutes, table.c.hourly_until)
    query = select(*alike, func.count()).where(table.c.next_slot_at < until).group_by(*alike)
    return [
        (IntervalSchedule("", None, _span(minutes), 0, hourly_until, at, at, None), users)
        for at, minutes, hourly_until, users in tx.execute(query)
    ]


def ahead(tx: Transaction, now: datetime) -> list[IntervalSchedule]:
    """Those whose latest slot lies ahead: the clock was set back since, or was wrong."""
    farthest = now + intervals.LONGEST
    is_ahead = (table.c.slot_at > now + MINUTE) | (table.c.next_slot_at > farthest)  # hosts' clocks differ a little
    query = select(table).where(table.c.next_slot_at.is_not(None), is_ahead)
    return [_schedule(row) for row in tx.execute(query).mappings()]


# -- changing


def begin(tx: Transaction, user_id: str, bounds: Bounds | None, *, now: datetime, first_day: bool = False) -> None:
    """Let a user be due at intervals from now on, or not any more; a first day that is under way goes on.

    `first_day`: it begins now.
    """
    present = get(tx, user_id)
    until = now + intervals.FIRST_DAY if first_day else present.hourly_until if present else None
    until = until if until and until > now else None
    forget(tx, user_id)
    if (begun := intervals.started(user_id, bounds, now, hourly_until=until)) is not None:
        tx.execute(table.insert().values(_row(begun)))


def forget(tx: Transaction, user_id: str) -> None:
    """The user is no longer due at intervals."""
    tx.execute(delete(table).where(table.c.user_id == user_id))


def pause(tx: Transaction, user_id: str) -> None:
    """The user isn't due until the schedule begins anew."""
    tx.execute(update(table).where(table.c.user_id == user_id).values(next_slot_at=None, owed_since=None))


def move_on(tx: Transaction, moves: Iterable[tuple[IntervalSchedule, IntervalSchedule]]) -> None:
    """Replace schedules as they were read by what comes after; one that has changed meanwhile stays as it is."""
    in_order = sorted(moves, key=lambda move: move[0].user_id)  # two daemons must not wait for each other's rows
    rows = [
        {"of_user": old.user_id, "of_slot": old.next_slot_at} | {f"new_{name}": getattr(new, name) for name in MOVING}
        for old, new in in_order
    ]
    if rows:
        unchanged = (table.c.user_id == bindparam("of_user")) & (table.c.next_slot_at == bindparam("of_slot"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in MOVING}
        tx.execute(update(table).where(unchanged).values(values), rows)
        tx.execute(delete(table).where(table.c.next_slot_at.is_(None), table.c.interval_minutes.is_(None)))


def note_success(tx: Transaction, run: Run, now: datetime) -> None:
    """A run has succeeded: a user who is due at intervals is due again later or sooner, as it found changes or none.

    The first sync after a connect changes everything, and tells nothing.
    """
    row = ONE_LOCKED.row(tx, of_user=run.user_id)
    if row is None:
        return
    changed = run.trigger is not Trigger.CONNECT and run.counters != Counters()
    known = _schedule(dict(zip(table.c.keys(), row, strict=True)))
    after = intervals.succeeded(known, now, changed=changed, was_due=run.slot is not None)
    tx.execute(update(table).where(table.c.user_id == run.user_id).values(_row(after)))


# -- rows


def _schedule(row: Mapping[Any, Any]) -> IntervalSchedule:
    shortest, longest, interval = (_span(row[name]) for name in MINUTES)
    return IntervalSchedule(
        bounds=Bounds(shortest, longest) if shortest and longest else None,
        interval=interval,
        **{name: row[name] for name in AS_THEY_ARE},
    )


def _row(schedule: IntervalSchedule) -> dict[str, Any]:
    spans = (getattr(schedule.bounds, "shortest", None), getattr(schedule.bounds, "longest", None), schedule.interval)
    minutes = (span // MINUTE if span else None for span in spans)
    return dict(zip(MINUTES, minutes, strict=True)) | {name: getattr(schedule, name) for name in AS_THEY_ARE}


def _span(minutes: Any) -> timedelta | None:
    """What somebody has edited to nonsense becomes a day, until the user's next success writes it down."""
    if minutes is None:
        return None
    return MINUTE * minutes if is_interval(minutes) else intervals.FIRST_INTERVAL


def is_interval(minutes: Any) -> bool:
    """True for whole minutes up to the longest interval there is."""
    return isinstance(minutes, int) and 0 < minutes <= intervals.LONGEST // MINUTE
