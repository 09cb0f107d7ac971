"""While the store can't be reached: what would be read there is remembered here, and told without it, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from contacts_sync import logs
from contacts_sync.alerts.delivery import wait_after
from contacts_sync.alerts.messages import store_is_away, store_is_back
from contacts_sync.alerts.noticing import MOST_PENDING
from contacts_sync.alerts.sending import Recipient, send
from contacts_sync.errors import ContactsSyncError
from contacts_sync.store import deliveries, nodes
from contacts_sync.store.deliveries import Level, Message
from contacts_sync.store.engine import Database, write

log = logs.get_logger()

PATIENCE = timedelta(minutes=1)  # a restart of the database server, a long lock: they pass
FIRST_WAIT = timedelta(seconds=30)
NOTHING = Message(Level.INFO, "", "")


class Stranded:
    """What one daemon knows of the store's absence: since when, who was told, how often the others were tried."""

    def __init__(self, monotonic: Callable[[], float], delivered: Callable[[bool], object]) -> None:
        self._monotonic = monotonic
        self._delivered = delivered
        self._since: datetime | None = None
        self._message = NOTHING
        self._told: dict[str, datetime] = {}
        self._attempts = 0
        self._next = 0.0

    def is_away(self, trouble: ContactsSyncError, recipients: Mapping[str, Recipient], now: datetime) -> None:
        """The store was asked in vain. Once that has lasted, whoever hasn't been told yet is told."""
        if self._since is None:
            self._since, self._attempts, self._told = now, 0, {}
            self._message = store_is_away(trouble, nodes.this_host()[0], now)
            self._next = self._monotonic() + PATIENCE.total_seconds()
        untold = [to for label, to in recipients.items() if label not in self._told]
        if not untold or self._monotonic() < self._next:
            return
        for to in untold:
            self._tell(to, now)
        self._attempts += 1
        self._next = self._monotonic() + wait_after(self._attempts, FIRST_WAIT).total_seconds()

    def is_back(self, db: Database, now: datetime) -> None:
        """It answers: what was told without it is written down, then its end is told. Raises `StoreUnavailable`."""
        if self._since is not None and self._told:
            over = store_is_back(nodes.this_host()[0], self._since, now)
            with write(db) as tx:
                deliveries.record(tx, self._message, self._since, self._told)
                deliveries.post(tx, over, self._told.keys(), now, most_pending=MOST_PENDING)
        self._since = None

    def _tell(self, to: Recipient, now: datetime) -> None:
        error = send(to, self._message)
        self._delivered(error is None)
        if error is None:
            self._told[to.label] = now
            log.info("alert_delivered", destination=to.label, title=self._message.title)
        else:
            log.warning("alert_not_delivered", destination=to.label, title=self._message.title, error=error)
