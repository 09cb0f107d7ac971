"""The thread that tells the operator. It works beside the others: whatever happens to it, syncing goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from contacts_sync import logs
from contacts_sync.alerts.watchman import Watchman
from contacts_sync.beside import beside
from contacts_sync.config import Config
from contacts_sync.daemon.pulse import Pulse
from contacts_sync.sync.desk import Desk

log = logs.get_logger()

STOP_WITHIN = timedelta(seconds=3)


@contextmanager
def alarmed(config: Callable[[], Config], desk: Desk, pulse: Pulse) -> Iterator[None]:
    """Tell while the block lasts; `config` is the configuration as it holds then."""
    watchman = Watchman(desk.db, desk.clock, pulse.delivered)
    with beside("alerts", partial(_keep_watch, watchman, config, pulse), stop_within=STOP_WITHIN):
        yield


def _keep_watch(watchman: Watchman, config: Callable[[], Config], pulse: Pulse, stop: threading.Event) -> None:
    said: str | None = None
    while not stop.wait(config().daemon.heartbeat.total_seconds()):
        if not pulse.reconciled:
            continue
        try:
            watchman.turn(config())
            said = None
        except Exception as error:
            if repr(error) != said:
                log.exception("alerts_error")
            said = repr(error)
