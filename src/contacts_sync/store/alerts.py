"""Causes of trouble, and what was told of each. Several daemons share it: one row says who looks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, or_, select, update

from contacts_sync.store import dialect
from contacts_sync.store.tables import alert_rounds, alerts
from contacts_sync.store.transactions import Transaction

AHEAD = timedelta(minutes=5)  # a round from further in the future was held by a clock that was wrong


class State(StrEnum):
    """Where a cause stands with the operator."""

    WAITING = "waiting"  # it is there, and was told so lately that it isn't told again yet
    OPEN = "open"  # it was told
    OVER = "over"  # it is gone


@dataclass(frozen=True, slots=True)
class Story:
    """A cause of trouble in the operator's words; `key` stays the same for as long as it is the same cause."""

    key: str
    title: str
    error_type: str
    blame: str
    detail: str
    users: int
    example: str
    command: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A story, and what was told of it: when, of how many users; how often it was told again, and came back."""

    story: Story
    state: State
    since: datetime
    seen_at: datetime
    told_at: datetime | None = None
    told_users: int = 0
    reminders: int = 0
    returns: int = 0


# -- rounds


def begin_round(tx: Transaction, now: datetime, every: timedelta) -> bool:
    """True for the one process that is to look now; the others wait here until its transaction has ended."""
    first = dialect.upsert(tx, alert_rounds).values(id=1, looked_at=now).on_conflict_do_nothing()
    if tx.execute(first.returning(alert_rounds.c.id)).first() is not None:
        return True
    looked_at = alert_rounds.c.looked_at
    is_due = or_(looked_at <= now - every, looked_at > now + AHEAD)
    return tx.execute(update(alert_rounds).where(is_due).values(looked_at=now)).rowcount == 1


def digest_at(tx: Transaction) -> datetime | None:
    """The slot of the latest digest."""
    found: datetime | None = tx.execute(select(alert_rounds.c.digest_at)).scalar()
    return found


def set_digest_at(tx: Transaction, before: datetime | None, slot_at: datetime | None) -> bool:
    """That slot's digest is written; False if somebody else has done so. `before`: the slot of the one before."""
    was = alert_rounds.c.digest_at.is_(None) if before is None else alert_rounds.c.digest_at == before
    return tx.execute(update(alert_rounds).where(was).values(digest_at=slot_at)).rowcount == 1


# -- causes


def every(tx: Transaction) -> list[Alert]:
    """All that is known of causes, the oldest first."""
    query = select(alerts).order_by(alerts.c.since, alerts.c.key)
    return [_alert(row) for row in tx.execute(query).mappings()]


def save(tx: Transaction, changed: Iterable[Alert]) -> None:
    """Write them down."""
    for one in changed:
        values = {**_told(one), **asdict(one.story)}
        rest = {name: value for name, value in values.items() if name != "key"}
        tx.execute(dialect.upsert(tx, alerts).values(values).on_conflict_do_update(index_elements=["key"], set_=rest))


def forget(tx: Transaction, keys: Collection[str]) -> None:
    """Causes of long ago."""
    if keys:
        tx.execute(delete(alerts).where(alerts.c.key.in_(keys)))


def _told(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in Alert.__slots__ if name != "story"}


def _alert(row: Any) -> Alert:
    told = {name: row[name] for name in Alert.__slots__ if name not in ("story", "state")}
    return Alert(Story(**{name: row[name] for name in Story.__slots__}), State(row["state"]), **told)
