"""Messages to the operator on their way: several daemons share them, and guarded updates decide who tries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from contacts_sync.store.alerts import State
from contacts_sync.store.tables import alert_deliveries, alert_messages, alerts
from contacts_sync.store.transactions import Transaction

PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given_up"


class Level(StrEnum):
    """How grave a message is."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads."""

    level: Level
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to a destination; `attempts` counts this one, too."""

    id: int
    destination: str
    attempts: int
    message: Message
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a delivery, or hasn't yet."""

    id: int
    title: str
    destination: str
    status: str
    attempts: int
    created_at: datetime
    not_before: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many causes are open; how many deliveries wait, how many of them have failed already, the oldest of those
    since when, and how the newest one failed.
    """

    opened: int
    pending: int
    failing: int
    since: datetime | None
    error: str | None


def post(tx: Transaction, message: Message, destinations: Collection[str], now: datetime, *, most_pending: int) -> None:
    """Put a message on its way. A destination that is too far behind loses its oldest ones."""
    message_id = _written(tx, message, now)
    for destination in destinations:
        waiting = _pending_at(tx, destination)
        for delivery_id in waiting[: max(0, len(waiting) + 1 - most_pending)]:
            _end(tx, delivery_id, now, GIVEN_UP, "too many messages were waiting")
        values = {"message_id": message_id, "destination": destination, "status": PENDING, "not_before": now}
        tx.execute(insert(alert_deliveries).values(values))


def record(tx: Transaction, message: Message, written_at: datetime, told: Mapping[str, datetime]) -> None:
    """A message that was delivered without the store, to each destination at an instant."""
    message_id = _written(tx, message, written_at)
    for destination, at in told.items():
        where = {"message_id": message_id, "destination": destination}
        what = {"status": DELIVERED, "attempts": 1, "not_before": written_at, "ended_at": at}
        tx.execute(insert(alert_deliveries).values(where | what))


def give_up_unknown(tx: Transaction, destinations: Collection[str], now: datetime, *, before: datetime) -> None:
    """Nobody delivers what was written before then to destinations that are no longer configured."""
    old = select(alert_messages.c.id).where(alert_messages.c.created_at <= before)
    where = (
        alert_deliveries.c.status == PENDING,
        alert_deliveries.c.destination.not_in(destinations),
        alert_deliveries.c.message_id.in_(old),
    )
    values = {"status": GIVEN_UP, "ended_at": now, "error": "the destination is no longer configured"}
    tx.execute(update(alert_deliveries).where(*where).values(values))


def due(tx: Transaction, destinations: Collection[str], now: datetime) -> list[int]:
    """Deliveries that can be tried now: at most one a destination, its oldest, so that messages arrive in order."""
    first = (
        select(func.min(alert_deliveries.c.id))
        .where(alert_deliveries.c.status == PENDING, alert_deliveries.c.destination.in_(destinations))
        .group_by(alert_deliveries.c.destination)
    )
    query = select(alert_deliveries.c.id).where(alert_deliveries.c.id.in_(first), *_is_free(now))
    return list(tx.execute(query.order_by(alert_deliveries.c.id)).scalars())


def claim(tx: Transaction, delivery_id: int, now: datetime, lease: timedelta) -> Delivery | None:
    """The delivery, for the one process that is to try it now; None for the others."""
    mine = update(alert_deliveries).where(alert_deliveries.c.id == delivery_id, *_is_free(now))
    values = {"attempts": alert_deliveries.c.attempts + 1, "claim_expires_at": now + lease}
    if tx.execute(mine.values(values)).rowcount != 1:
        return None
    row = tx.execute(
        select(alert_deliveries, alert_messages)
        .join(alert_messages, alert_messages.c.id == alert_deliveries.c.message_id)
        .where(alert_deliveries.c.id == delivery_id)
    ).one()
    message = Message(Level(row.level), row.title, row.body)
    return Delivery(delivery_id, row.destination, row.attempts, message, row.created_at)


def arrived(tx: Transaction, delivery: Delivery, now: datetime) -> None:
    """It was delivered."""
    _settle(tx, delivery, {"status": DELIVERED, "ended_at": now, "error": None})


def failed(tx: Transaction, delivery: Delivery, error: str, again_at: datetime) -> None:
    """It wasn't; another attempt comes."""
    _settle(tx, delivery, {"not_before": again_at, "claim_expires_at": None, "error": error})


def give_up(tx: Transaction, delivery: Delivery, error: str, now: datetime) -> None:
    """It wasn't, and nobody tries again."""
    _settle(tx, delivery, {"status": GIVEN_UP, "ended_at": now, "error": error})


def backlog(tx: Transaction) -> Backlog:
    """What is open, and what waits to be delivered."""
    failing = alert_deliveries.c.error.is_not(None)
    waiting = alert_deliveries.c.status == PENDING
    pending = tx.execute(select(func.count()).select_from(alert_deliveries).where(waiting)).scalar_one()
    rows = tx.execute(
        select(alert_deliveries.c.error, alert_messages.c.created_at)
        .join(alert_messages, alert_messages.c.id == alert_deliveries.c.message_id)
        .where(waiting, failing)
        .order_by(alert_deliveries.c.id)
    ).all()
    opened = tx.execute(select(func.count()).select_from(alerts).where(alerts.c.state == State.OPEN)).scalar_one()
    return Backlog(opened, pending, len(rows), rows[0][1] if rows else None, rows[-1][0] if rows else None)


def latest(tx: Transaction, limit: int) -> list[Delivered]:
    """The newest deliveries, the newest first; all with limit 0."""
    columns = [getattr(_columns(name).c, name) for name in Delivered.__slots__]
    query = (
        select(*columns)
        .join(alert_messages, alert_messages.c.id == alert_deliveries.c.message_id)
        .order_by(alert_deliveries.c.id.desc())
    )
    return [Delivered(*row) for row in tx.execute(query.limit(limit) if limit else query)]


def prune(tx: Transaction, before: datetime) -> None:
    """Forget old messages, with what became of them."""
    waiting = select(alert_deliveries.c.message_id).where(alert_deliveries.c.status == PENDING)
    old = alert_messages.c.created_at < before, alert_messages.c.id.not_in(waiting)
    tx.execute(delete(alert_messages).where(*old))


def _written(tx: Transaction, message: Message, now: datetime) -> int:
    row = {"level": message.level, "title": message.title, "body": message.body, "created_at": now}
    message_id: int = tx.execute(insert(alert_messages).values(row).returning(alert_messages.c.id)).scalar_one()
    return message_id


def _columns(name: str) -> Any:
    return alert_messages if name in ("title", "created_at") else alert_deliveries


def _is_free(now: datetime) -> tuple[Any, ...]:
    expires_at = alert_deliveries.c.claim_expires_at
    is_unclaimed = or_(expires_at.is_(None), expires_at <= now)
    return alert_deliveries.c.status == PENDING, alert_deliveries.c.not_before <= now, is_unclaimed


def _pending_at(tx: Transaction, destination: str) -> list[int]:
    query = select(alert_deliveries.c.id).where(
        alert_deliveries.c.status == PENDING, alert_deliveries.c.destination == destination
    )
    return list(tx.execute(query.order_by(alert_deliveries.c.id)).scalars())


def _end(tx: Transaction, delivery_id: int, now: datetime, status: str, error: str) -> None:
    values = {"status": status, "ended_at": now, "error": error}
    tx.execute(update(alert_deliveries).where(alert_deliveries.c.id == delivery_id).values(values))


def _settle(tx: Transaction, delivery: Delivery, values: dict[str, Any]) -> None:
    """Only for whoever made the latest attempt."""
    mine = (
        alert_deliveries.c.id == delivery.id,
        alert_deliveries.c.status == PENDING,
        alert_deliveries.c.attempts == delivery.attempts,
    )
    tx.execute(update(alert_deliveries).where(*mine).values(values))
