"""While the store can't be reached: what would be read there is remembered here, and told without it, once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import structlog

from contacts_sync import logs
from contacts_sync.alerts.delivery import wait_after
from contacts_sync.alerts.messages import store_is_away, store_is_back
from contacts_sync.alerts.noticing import MOST_PENDING
from contacts_sync.alerts.sending import Recipient, send
from contacts_sync.errors import ContactsSyncError
from contacts_sync.store import alerts, nodes
from contacts_sync.store.engine import Database, write

log = structlog.get_logger()

PATIENCE = timedelta(minutes=1)  # a restart of the database server, a long lock: they pass
FIRST_WAIT = timedelta(seconds=30)


class Stranded:
    """What one daemon knows of the store's absence: since when, who was told, how often the others were tried."""

    def __init__(self, monotonic: Callable[[], float], delivered: Callable[[bool], object]) -> None:
        self._monotonic = monotonic
        self._delivered = delivered
        self._since: datetime | None = None
        self._began = 0.0
        self._told: set[str] = set()
        self._attempts = 0
        self._next = 0.0

    def is_away(self, trouble: ContactsSyncError, recipients: Mapping[str, Recipient], now: datetime) -> None:
        """The store was asked in vain. Once that has lasted, whoever hasn't been told yet is told."""
        if self._since is None:
            self._since, self._began, self._attempts = now, self._monotonic(), 0
            self._next = self._began + PATIENCE.total_seconds()
        untold = [to for label, to in recipients.items() if label not in self._told]
        if not untold or self._monotonic() < self._next:
            return
        message = store_is_away(trouble, nodes.this_host()[0], self._since)
        for to in untold:
            self._tell(to, message)
        self._attempts += 1
        self._next = self._monotonic() + wait_after(self._attempts, FIRST_WAIT).total_seconds()

    def is_back(self, db: Database, labels: Collection[str], now: datetime) -> None:
        """The store answers. Who was told that it didn't is told that, too. Raises `StoreUnavailable`."""
        if self._since is None:
            return
        heard = self._told & set(labels)
        if heard:
            message = store_is_back(nodes.this_host()[0], self._since, now)
            with write(db) as tx:
                alerts.post(tx, message, heard, now, most_pending=MOST_PENDING)
        self._since, self._told = None, set()

    def _tell(self, to: Recipient, message: alerts.Message) -> None:
        error = send(to, message)
        self._delivered(error is None)
        if error is None:
            self._told.add(to.label)
            log.info("alert_delivered", destination=to.label, title=message.title)
        else:
            log.warning("alert_not_delivered", destination=to.label, title=message.title, error=logs.clean(error))
