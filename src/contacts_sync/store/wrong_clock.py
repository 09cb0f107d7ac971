"""What a clock that was set wrong has left behind: times so far ahead that nothing would happen until they come."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update

from contacts_sync.store.run_claims import PROBE_INTERVAL
from contacts_sync.store.tables import IS_QUEUED, connections, pauses, sync_runs, sync_states
from contacts_sync.store.transactions import Transaction

SKEW = timedelta(minutes=10)  # clocks of several hosts may differ that much, and nothing is wrong
LONGEST_DEFERRAL = timedelta(hours=1)  # what Google may ask for


def set_right(tx: Transaction, now: datetime, *, longest_wait: timedelta) -> int:
    """Let go of what waits for a time further ahead than any wait there is; the answer is how many rows did.

    Runs and probes may begin now; who was connected in the future was connected now; which slots have got their runs
    is unknown again (one that has isn't queued twice). `longest_wait`: the window over which a herd is spread.
    """
    latest = now + SKEW
    far = [
        update(sync_runs)
        .where(IS_QUEUED, sync_runs.c.not_before > latest + max(longest_wait, LONGEST_DEFERRAL))
        .values(not_before=now),
        update(pauses).where(pauses.c.next_probe_at > latest + PROBE_INTERVAL).values(next_probe_at=now),
        update(connections).where(connections.c.scheduled_since > latest).values(scheduled_since=now),
        update(sync_states).where(sync_states.c.queued_until > latest).values(queued_until=None),
    ]
    return sum(tx.execute(statement).rowcount for statement in far)
