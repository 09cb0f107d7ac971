"""One look at everybody: what is wrong, whether it is to be told, and the message into the store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from contacts_sync.alerts.messages import Scene, messages
from contacts_sync.alerts.rules import Manners, decide
from contacts_sync.alerts.stories import stories, without_late
from contacts_sync.config import Config
from contacts_sync.health.almanac import Almanac
from contacts_sync.health.fleet import yardstick
from contacts_sync.store import alerts, health, nodes
from contacts_sync.store.alerts import Story
from contacts_sync.store.engine import Database, Transaction, read, write

MOST_PENDING = 50  # messages that wait for one destination
KEPT = timedelta(days=90)


def hold_round(
    db: Database,
    config: Config,
    almanac: Almanac,
    destinations: Collection[str],
    now: datetime,
    *,
    every: timedelta,
    started_at: datetime,
) -> None:
    """Look, decide, write down. Of several daemons one does it, at most once in `every`.

    For as long after `started_at` as a user may take to be late, nobody is: all that was missed is being made up for.
    Raises `StoreUnavailable`.
    """
    with read(db) as tx:
        present, users = look(tx, config, almanac, now)
    if now - started_at < config.health.grace:
        present = without_late(present)
    manners = Manners(config.alerts.remind, config.alerts.recovered_after)
    with write(db) as tx:
        if not alerts.begin_round(tx, now, every):
            return
        decision = decide(alerts.every(tx), present, manners, now)
        alerts.save(tx, decision.changed)
        alerts.forget(tx, decision.forgotten)
        for message in messages(decision.notices, Scene(nodes.this_host()[0], users), now):
            alerts.post(tx, message, destinations, now, most_pending=MOST_PENDING)
            alerts.prune(tx, now - KEPT)


def look(tx: Transaction, config: Config, almanac: Almanac, now: datetime) -> tuple[list[Story], int]:
    """What is worth telling now, and how many users there are."""
    by, _ = yardstick(tx, almanac, config.health, config.schedule, now)
    users = health.count(tx)
    troubles = health.grave_troubles(tx, by, failures=config.alerts.failures_in_a_row)
    return stories(troubles, nodes.pause(tx), users), users
