"""One clock for leases and heartbeats, whatever the clocks of the hosts say: the database server's, if there is one."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from contacts_sync.store import dialect
from contacts_sync.store.transactions import Database, Skew, Transaction, read

NOTICEABLE = timedelta(seconds=1)  # less is the time that asking takes
STEP = timedelta(seconds=10)  # the shared clock doesn't go that far wrong by itself between two heartbeats


def compare(db: Database, now: datetime) -> timedelta:
    """See how far the server's clock is ahead of ours, to be asked again at every heartbeat; the answer is that."""
    with read(db) as tx:
        theirs = dialect.server_clock(tx)
    ahead = theirs - now if theirs is not None else timedelta(0)
    db.skew.ahead = ahead if abs(ahead) > NOTICEABLE else timedelta(0)
    _note_step(db.skew, (now + db.skew.ahead).timestamp() - time.monotonic())
    return db.skew.ahead


def _note_step(skew: Skew, shared: float) -> None:
    if skew.shared is not None and abs(shared - skew.shared) > STEP.total_seconds():
        skew.stepped_at = time.monotonic()
    skew.shared = shared


def is_steady(db: Database, lease: timedelta) -> bool:
    """True unless the shared clock was set within the time of a lease: the living may not have renewed theirs yet."""
    return time.monotonic() - db.skew.stepped_at > lease.total_seconds()


def shared(tx: Transaction, now: datetime) -> datetime:
    """Our `now` as the shared clock tells it, by the latest comparison."""
    skew: Skew = tx.get_execution_options()["skew"]
    return now + skew.ahead


def asked(tx: Transaction, now: datetime) -> datetime:
    """The shared clock itself, for who looks only once."""
    return dialect.server_clock(tx) or now
