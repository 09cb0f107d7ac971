"""Looks and delivers, again and again; and says it himself when the store can't be asked what to say."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from contacts_sync import logs
from contacts_sync.alerts.delivery import GIVE_UP_AFTER, deliver
from contacts_sync.alerts.noticing import hold_round, write_digest
from contacts_sync.alerts.recipients import recipients
from contacts_sync.alerts.sending import Recipient
from contacts_sync.alerts.stranded import Stranded
from contacts_sync.config import Config
from contacts_sync.errors import StoreUnavailable, StoreUnusable
from contacts_sync.health.almanac import Almanac
from contacts_sync.sections import Alerts
from contacts_sync.store import deliveries
from contacts_sync.store.engine import Database, write

log = logs.get_logger()

SHARE = 20  # a look that takes a second is followed by twenty of rest


class Watchman:
    """For one thread. `delivered` is told of each attempt whether it went well."""

    def __init__(
        self,
        db: Database,
        clock: Callable[[], datetime],
        delivered: Callable[[bool], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._clock = clock
        self._delivered = delivered
        self._monotonic = monotonic
        self._almanac = Almanac()
        self._started_at = clock()
        self._settings: Alerts | None = None
        self._recipients: dict[str, Recipient] = {}
        self._stranded = Stranded(monotonic, delivered)
        self._rests_until = 0.0

    def turn(self, config: Config) -> None:
        """Look, unless the latest look was too expensive for that; deliver what is due.

        Raises `ConfigurationError` for settings that can't be used.
        """
        try:
            if config.alerts is not self._settings:
                self._use(config.alerts)
            if self._recipients:
                self._look(config)
                self._deliver(config)
            self._stranded.is_back(self._db, self._clock())
        except (StoreUnavailable, StoreUnusable) as trouble:
            self._stranded.is_away(trouble, self._recipients, self._clock())

    def _use(self, settings: Alerts) -> None:
        found = {one.label: one for one in recipients(settings)}
        now = self._clock()
        with write(self._db) as tx:  # a daemon that tells nobody leaves to another one what that can still tell
            deliveries.give_up_unknown(tx, found.keys(), now, before=now if found else now - GIVE_UP_AFTER)
        self._recipients, self._settings = found, settings
        log.info("alerts_on" if found else "alerts_off", destinations=list(found))

    def _look(self, config: Config) -> None:
        began = self._monotonic()
        if began < self._rests_until:
            return
        hold_round(
            self._db,
            config,
            self._almanac,
            self._recipients.keys(),
            self._clock(),
            every=config.daemon.heartbeat / 2,
            started_at=self._started_at,
        )
        write_digest(self._db, config, self._almanac, self._recipients.keys(), self._clock())
        ended = self._monotonic()
        self._rests_until = ended + SHARE * (ended - began)

    def _deliver(self, config: Config) -> None:
        deliver(
            self._db,
            self._recipients,
            self._clock,
            first_wait=config.daemon.heartbeat,
            ended=self._delivered,
        )
