"""Messages from the store to their destinations: tried again with growing waits, recorded, by one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from contacts_sync import logs
from contacts_sync.alerts.sending import LIMIT, Recipient, send
from contacts_sync.store import deliveries
from contacts_sync.store.deliveries import Delivery
from contacts_sync.store.engine import Database, read, write

log = logs.get_logger()

LEASE = 2 * LIMIT  # of an attempt; whoever dies during one leaves it to be made again
LONGEST_WAIT = timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(days=1)


def deliver(
    db: Database,
    recipients: Mapping[str, Recipient],
    clock: Callable[[], datetime],
    *,
    first_wait: timedelta,
    ended: Callable[[bool], object],
) -> None:
    """Try everything that is due, until nothing is. `ended` is told of each attempt whether it went well."""
    while due := _due(db, recipients, clock()):
        for delivery_id in due:
            with write(db) as tx:
                delivery = deliveries.claim(tx, delivery_id, clock(), LEASE)
            if delivery is not None:
                ended(_try(db, recipients[delivery.destination], delivery, clock, first_wait))


def wait_after(attempts: int, first_wait: timedelta) -> timedelta:
    """Once as long, twice, four times, …"""
    return min(first_wait * (1 << min(attempts - 1, 20)), LONGEST_WAIT)


def _due(db: Database, recipients: Mapping[str, Recipient], now: datetime) -> list[int]:
    with read(db) as tx:
        return deliveries.due(tx, recipients.keys(), now)


def _try(db: Database, to: Recipient, delivery: Delivery, clock: Callable[[], datetime], first_wait: timedelta) -> bool:
    error = send(to, delivery.message)
    now = clock()
    facts = {"destination": to.label, "title": delivery.message.title, "attempts": delivery.attempts}
    with write(db) as tx:
        if error is None:
            deliveries.arrived(tx, delivery, now)
            log.info("alert_delivered", **facts)
        elif now - delivery.created_at > GIVE_UP_AFTER:
            deliveries.give_up(tx, delivery, error, now)
            log.error("alert_given_up", error=error, **facts)
        else:
            deliveries.failed(tx, delivery, error, now + wait_after(delivery.attempts, first_wait))
            log.warning("alert_not_delivered", error=error, **facts)
    return error is None
