"""The daemon as a process: start, signals, readiness, heartbeat, stop."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType

from contacts_sync import logs, memory
from contacts_sync.alerts.pinging import pinging
from contacts_sync.alerts.recipients import recipients
from contacts_sync.config import Config
from contacts_sync.daemon.alarm import alarmed
from contacts_sync.daemon.loop import LAST_PAGE, Loop
from contacts_sync.daemon.notify import tell_systemd
from contacts_sync.daemon.workers import new_worker_id
from contacts_sync.store import file, fsck, nodes
from contacts_sync.store.engine import Database, close, open_database, read
from contacts_sync.sync.desk import Desk, open_desk
from contacts_sync.sync.keycheck import refuse_wrong_key

log = logs.get_logger()

STOPPING = {signal.SIGTERM, signal.SIGINT}
NEW_OBJECTS = 10_000  # after so many Python looks for cycles among them; those that a run leaves are a MB or two
LAST_WORDS = timedelta(seconds=2)  # to write down what is put back, where nothing holds that up


class Signals:
    """What the operator has asked for since the daemon started. Handlers only set flags: they hold no lock."""

    def __init__(self) -> None:
        self.stops = 0
        self.reload = False

    def on_stop(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM and SIGINT: once to stop gracefully, again to stop waiting for running runs."""
        self.stops += 1

    def on_reload(self, _number: int, _frame: FrameType | None) -> None:
        """SIGHUP: read the configuration again."""
        self.reload = True


def serve(load: Callable[[], Config]) -> int:
    """Run the daemon in the foreground until SIGTERM or SIGINT; the answer is the exit code.

    `load` reads the configuration, now and at each SIGHUP. Raises what keeps a daemon from starting:
    `ConfigurationError`, `KeyProblem`, `StoreUnusable`, `StoreUnavailable`, `DaemonRunning`.
    """
    memory.return_large_blocks()
    signals = Signals()
    load = _usable(load)
    config = load()
    with _handled(signals), _ended_in_time(config.daemon.shutdown_grace), _store(config) as db:
        desk = open_desk(config, db, worker_id=new_worker_id(), clock=_now, stop=threading.Event())
        refuse_wrong_key(db, config.secrets.key_file)
        loop = Loop(config, desk, load)
        with (
            _shown(config, loop, desk),
            pinging(lambda: loop.config, db, _now, loop.pulse.pings),
            alarmed(lambda: loop.config, desk, loop.pulse),
        ):
            loop.start()
            _look_for_cycles_among_what_comes()
            tell_systemd("READY=1")
            while not signals.stops:
                if signals.reload:
                    signals.reload = False
                    loop.reload()
                loop.turn()
            tell_systemd("STOPPING=1")
            loop.stop(hurry=lambda: signals.stops > 1)
    return 0


def _look_for_cycles_among_what_comes() -> None:
    """What has been loaded by now stays: to look through it again and again finds nothing."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


def _usable(load: Callable[[], Config]) -> Callable[[], Config]:
    """Refuses alerts that could never be sent when they are configured, not when they are needed."""

    def load_usable() -> Config:
        config = load()
        if config.alerts.urls or config.alerts.urls_file:
            recipients(config.alerts)
        return config

    return load_usable


@contextmanager
def _store(config: Config) -> Iterator[Database]:
    """The store, created and upgraded as needed, held against a second daemon where it can bear only one."""
    db = open_database(config.database.url, create=True, upgrade=True)
    try:
        with nodes.hold_store(db):
            with read(db) as tx:
                fsck.refuse_damaged(tx)
            _warn_of_rights(db)
            yield db
    finally:
        close(db)


@contextmanager
def _shown(config: Config, loop: Loop, desk: Desk) -> Iterator[None]:
    """The dashboard and its kin, unless nobody wants them."""
    if config.web.listen is None:
        yield
        return
    from contacts_sync.web.app import application  # noqa: PLC0415  (Flask is a fifth of what a daemon's start costs)
    from contacts_sync.web.look import Watched  # noqa: PLC0415  (likewise)
    from contacts_sync.web.server import serving  # noqa: PLC0415  (likewise)

    watched = Watched(lambda: loop.config, loop.pulse, desk)
    with serving(config.web.listen, lambda: application(watched)):
        yield


def _warn_of_rights(db: Database) -> None:
    """A store that others can read, or whose owner may not reach what root makes beside it."""
    if db.path is None:
        return
    if open_to := file.open_to_others(db.path):
        log.warning("store_open_to_others", mode=open_to, hint=f"chmod 600 {db.path}*")
    owner = db.path.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        log.warning("runs_as_root", owner_of_the_store=owner, hint="run the daemon as the user whose store it is")


@contextmanager
def _handled(signals: Signals) -> Iterator[None]:
    handlers = {
        signal.SIGTERM: signals.on_stop,
        signal.SIGINT: signals.on_stop,
        signal.SIGHUP: signals.on_reload,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended_in_time(grace: timedelta) -> Iterator[None]:
    """Once a signal asks to stop, the process ends in time even if its main thread is held up, as by a locked store.

    What it still holds in the store is taken back at the next start, or when its lease ends.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # tells also while the main thread is busy in C
    ended = threading.Event()
    patience = grace + LAST_PAGE + LAST_WORDS
    guard = threading.Thread(target=_end, args=(reader, ended, patience), name="guard", daemon=True)
    guard.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        ended.set()
        os.close(writer)
        guard.join()
        os.close(reader)


def _end(reader: int, ended: threading.Event, patience: timedelta) -> None:
    while number := os.read(reader, 1):
        if number[0] in STOPPING and not ended.wait(patience.total_seconds()):
            log.error("daemon_ended_late", hint="what it held is taken back at the next start")
            os._exit(0)


def _now() -> datetime:
    return datetime.now(UTC)
