"""The dead man's switch: a thread that tells, once a day, that the fleet's syncs have begun and how they ended.

Whatever happens to it, syncing goes on: no transaction of it waits for the net, no run waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from contacts_sync import logs
from contacts_sync.alerts import rounds
from contacts_sync.alerts.destinations import Destination, checked
from contacts_sync.alerts.post import post
from contacts_sync.beside import beside
from contacts_sync.errors import ContactsSyncError, PassingTrouble, StoreUnavailable
from contacts_sync.health.almanac import Almanac
from contacts_sync.health.fleet import Fleet, survey
from contacts_sync.model import Ping, Schedule, Step
from contacts_sync.secret_file import read_secret
from contacts_sync.sections import Config
from contacts_sync.sections import Ping as PingSettings
from contacts_sync.store import health, pings
from contacts_sync.store.engine import Database, Transaction, read, write
from contacts_sync.store.health import Yardstick
from contacts_sync.timetable import compile_schedule

log = logs.get_logger()

LOOK_EVERY = timedelta(seconds=1)
SHARE = 10  # a look that takes a second is repeated after ten
LEASE = timedelta(minutes=2)  # longer than a name takes to be resolved and a few addresses to be tried
STOP_WITHIN = timedelta(seconds=1)
SUFFIXES: Mapping[Step, str] = {Step.START: "/start", Step.SUCCESS: "", Step.FAIL: "/fail"}


def url_of(settings: PingSettings) -> str:
    """The URL of the switch, hidden from now on wherever it might turn up; "" for none. Raises `ConfigurationError`."""
    url = settings.url or (read_secret(settings.url_file, "ping.url_file") if settings.url_file else "")
    logs.remember(url)
    logs.remember(urlsplit(url).path)
    return url


def destination(settings: PingSettings, allow_hosts: tuple[str, ...]) -> Destination:
    """Where pings go. Raises `ConfigurationError` if they may not, `PassingTrouble` if the name can't be resolved."""
    try:
        return checked(url_of(settings), allow_hosts)
    except OSError as trouble:
        raise PassingTrouble(f"the host of ping.url can't be resolved: {trouble.strerror or trouble}") from None


class Pinger:
    """One look after the other: what is to be told now, and tell it."""

    def __init__(
        self,
        config: Callable[[], Config],
        db: Database,
        clock: Callable[[], datetime],
        tally: Counter[str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._db = db
        self._clock = clock
        self._tally = tally
        self._monotonic = monotonic
        self._almanac = Almanac()
        self._ask_again_at = 0.0  # monotonic: who is awaited is an expensive question

    def look(self) -> None:
        """Begin or finish a round if it is time, then tell what hasn't been told. Raises `StoreUnavailable`."""
        now = self._clock()
        schedule = self._config().schedule
        current = compile_schedule(schedule.cron, schedule.timezone).opening(now)
        told = self._told()
        if current is not None and rounds.is_new(current.at, told, now):
            self._begin(told, current.at, now)
        elif told is not None and told.step is Step.START and self._monotonic() >= self._ask_again_at:
            self._finish(told, now)
        told = self._told()
        if told is not None and told.delivered_at is None and told.next_try_at <= now:
            self._tell(now)

    def _told(self) -> Ping | None:
        with read(self._db) as tx:
            return pings.latest(tx)

    def _begin(self, before: Ping | None, round_at: datetime, now: datetime) -> None:
        fleet = self._fleet(now)
        with write(self._db) as tx:
            pings.begin(tx, before, round_at, rounds.beginning(fleet.users), now)

    def _finish(self, begun: Ping, now: datetime) -> None:
        config = self._config()
        unsettled = self._unsettled(begun.round_at)
        if rounds.is_over(begun, now, unsettled=unsettled, spread=config.schedule.spread, grace=config.health.grace):
            fleet = self._fleet(now)
            with write(self._db) as tx:
                pings.finish(tx, begun, rounds.verdict(fleet), rounds.summary(fleet), now)

    def _unsettled(self, round_at: datetime) -> int:
        began = self._monotonic()
        with read(self._db) as tx:
            users = pings.unsettled(tx, self._slots_before(tx, round_at))
        ended = self._monotonic()
        self._ask_again_at = ended + SHARE * (ended - began)
        return users

    def _slots_before(self, tx: Transaction, round_at: datetime) -> Yardstick:
        """Everybody's newest slot when the round began: an almanac of its own, since this is the past."""
        schedule = self._config().schedule
        default = Schedule(schedule.cron, schedule.timezone)
        deadlines = Almanac().deadlines((one for one, _ in health.schedules(tx, default)), round_at)
        return Yardstick(default, deadlines, round_at, done_by=round_at)

    def _fleet(self, now: datetime) -> Fleet:
        config = self._config()
        with read(self._db) as tx:
            return survey(tx, self._almanac, config.health, config.schedule, now)

    def _tell(self, now: datetime) -> None:
        with write(self._db) as tx:
            ping = pings.take(tx, now, LEASE)
        if ping is None:
            return
        trouble = self._trouble_telling(ping)
        with write(self._db) as tx:
            if trouble is None:
                pings.delivered(tx, ping, self._clock())
            else:
                pings.failed(tx, ping, trouble.message, self._clock() + rounds.gap(ping.attempts))

    def _trouble_telling(self, ping: Ping) -> ContactsSyncError | None:
        config = self._config()
        try:
            to = destination(config.ping, config.alerts.allow_hosts)
            path, mark, query = to.target.partition("?")
            post(to, path.rstrip("/") + SUFFIXES[ping.step] + mark + query, ping.summary)
        except ContactsSyncError as trouble:
            self._tally["failed"] += 1
            if not ping.attempts & (ping.attempts - 1):  # the first, the second, the fourth, ...
                log.warning(
                    "ping_failed", step=str(ping.step), attempts=ping.attempts, error=trouble.message, hint=trouble.hint
                )
            return trouble
        self._tally["delivered"] += 1
        log.info("ping_delivered", step=str(ping.step), round_at=ping.round_at.isoformat(), attempts=ping.attempts)
        return None


@contextmanager
def pinging(
    config: Callable[[], Config], db: Database, clock: Callable[[], datetime], tally: Counter[str]
) -> Iterator[None]:
    """Ping while the block lasts, if a URL is configured; `tally` counts what was `delivered` and what `failed`."""
    settings = config().ping
    if not settings.url and settings.url_file is None:
        yield
        return
    pinger = Pinger(config, db, clock, tally)
    with beside("ping", partial(_keep_pinging, pinger), stop_within=STOP_WITHIN):
        yield


def _keep_pinging(pinger: Pinger, stop: threading.Event) -> None:
    while not stop.wait(LOOK_EVERY.total_seconds()):
        try:
            pinger.look()
        except StoreUnavailable as trouble:  # the daemon's loop meets the same trouble, and tells
            log.debug("ping_waits", error=str(trouble))
        except Exception:
            log.exception("ping_error")
