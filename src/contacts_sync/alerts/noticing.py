"""One look at everybody: what is wrong, whether it is to be told, and the message into the store."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import datetime, timedelta

from contacts_sync.alerts.digest import PERIODS, digest, latest_slot
from contacts_sync.alerts.messages import Scene, messages
from contacts_sync.alerts.rules import Manners, decide
from contacts_sync.alerts.stories import of_disk, stories, without_late
from contacts_sync.config import Config
from contacts_sync.health.almanac import Almanac
from contacts_sync.health.fleet import survey, yardstick
from contacts_sync.store import alerts, deliveries, health, nodes, workload
from contacts_sync.store.alerts import State, Story
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
        present, users = _look(tx, config, almanac, now)
    if now - started_at < config.health.grace:
        present = without_late(present)
    if db.path is not None:
        present += of_disk(db.path.parent, shutil.disk_usage(db.path.parent).free)
    manners = Manners(config.alerts.group_wait, config.alerts.remind, config.alerts.recovered_after)
    with write(db) as tx:
        if not alerts.begin_round(tx, now, every):
            return
        decision = decide(alerts.every(tx), present, manners, now)
        alerts.save(tx, decision.changed)
        alerts.forget(tx, decision.forgotten)
        for message in messages(decision.notices, Scene(nodes.this_host()[0], users), now):
            deliveries.post(tx, message, destinations, now, most_pending=MOST_PENDING)
        if decision.notices:
            deliveries.prune(tx, now - KEPT)


def _look(tx: Transaction, config: Config, almanac: Almanac, now: datetime) -> tuple[list[Story], int]:
    """What is worth telling now, and how many users there are."""
    by, _ = yardstick(tx, almanac, config.health, config.schedule, now)
    users = health.count(tx)
    troubles = health.grave_troubles(tx, by, failures=config.alerts.failures_in_a_row)
    return stories(troubles, nodes.pause(tx), users), users


def write_digest(db: Database, config: Config, almanac: Almanac, destinations: Collection[str], now: datetime) -> None:
    """The digest of the newest slot, if nobody has written it yet. The first slot is the one after switching it on.

    Raises `StoreUnavailable`.
    """
    slot_at = latest_slot(config.alerts, config.schedule.timezone, now)
    with read(db) as tx:
        written = alerts.digest_at(tx)
    if slot_at == written or (slot_at and written and slot_at < written):
        return
    if slot_at is None or written is None:
        with write(db) as tx:
            alerts.set_digest_at(tx, written, slot_at)
        return
    with read(db) as tx:
        fleet = survey(tx, almanac, config.health, config.schedule, now)
        recent = workload.recent(tx, now - PERIODS[config.alerts.digest])
        opened = [alert for alert in alerts.every(tx) if alert.state is State.OPEN]
    period, host = config.alerts.digest, nodes.this_host()[0]
    message = digest(fleet, recent, opened, period=period, fresh_within=config.health.fresh_within, host=host)
    with write(db) as tx:
        if alerts.set_digest_at(tx, written, slot_at):
            deliveries.post(tx, message, destinations, now, most_pending=MOST_PENDING)
