"""What a sync begins with: one look at the store, for the worker that owns the run."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Select, select

from contacts_sync.model import KnownGroup, Run, SealedGrant, SyncState
from contacts_sync.store import runs, states
from contacts_sync.store.columns import json_rows
from contacts_sync.store.connections import GRANT
from contacts_sync.store.contacts import GROUP
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.tables import (
    connections,
    contact_groups,
    interval_schedules,
    oauth_tokens,
    sync_runs,
    sync_states,
)
from contacts_sync.store.transactions import Transaction

HAS_GRANT = len(states.KEPT)
IN_GROUPS = HAS_GRANT + len(GRANT)
GROUPS = select(json_rows(*GROUP)).where(contact_groups.c.user_id == sync_runs.c.user_id).scalar_subquery()
LOOK: Select[tuple[object, ...]] = (
    select(*states.KEPT, *GRANT, GROUPS, interval_schedules.c.user_id)
    .select_from(sync_runs)
    .outerjoin(sync_states, sync_states.c.user_id == sync_runs.c.user_id)
    .outerjoin(oauth_tokens, oauth_tokens.c.user_id == sync_runs.c.user_id)
    .outerjoin(connections, connections.c.user_id == sync_runs.c.user_id)
    .outerjoin(interval_schedules, interval_schedules.c.user_id == sync_runs.c.user_id)
)
OF_RUN = Prepared(LOOK.where(runs.OWNED))


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the user's sync stands, the tokens (None: there are none any more), the labels that are stored, and
    whether the user is due at intervals.
    """

    state: SyncState
    sealed: SealedGrant | None
    groups: list[KnownGroup]
    at_intervals: bool


def beginning(tx: Transaction, run: Run) -> Beginning:
    """Read what a claimed run begins with. Raises `LeaseLost` if it is no longer its worker's."""
    row = OF_RUN.row(tx, **runs.owner(run, run.worker_id))
    if row is None:
        raise runs.lost(run)
    state, grant, (groups, at_intervals) = row[:HAS_GRANT], row[HAS_GRANT:IN_GROUPS], row[IN_GROUPS:]
    return Beginning(
        state=SyncState(*state) if state[0] is not None else SyncState(run.user_id),
        sealed=SealedGrant(*grant) if grant[0] is not None else None,
        groups=[KnownGroup(*group) for group in json.loads(groups)],
        at_intervals=at_intervals is not None,
    )
