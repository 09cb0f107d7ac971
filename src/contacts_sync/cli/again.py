"""Which runs may run again: retries of what has failed, approvals of what was parked."""

from __future__ import annotations

from collections.abc import Collection

from contacts_sync.cli.frame import linked, now
from contacts_sync.errors import GrantRejected, MassDeletion, UnknownItem, typed
from contacts_sync.model import ConnectionStatus, Run, RunKind, RunStatus, Trigger
from contacts_sync.store import runs
from contacts_sync.store.engine import Transaction


def to_retry(tx: Transaction, run_ids: Collection[int]) -> dict[str, RunKind]:
    """The users of these runs, and how much to read of each: a full run is retried as a full one.

    Raises `UnknownItem` for a run that has succeeded, or that there isn't.
    """
    users: dict[str, RunKind] = {}
    for run_id in run_ids:
        run = runs.require(tx, run_id)
        if run.status is RunStatus.SUCCEEDED:
            hint = f"contacts-sync run-now {typed(run.user_id)} syncs once more"
            raise UnknownItem(f"run {run_id} has succeeded: there is nothing to retry", hint=hint)
        if users.get(run.user_id) is not RunKind.FULL:
            users[run.user_id] = run.kind
    return users


def approved(tx: Transaction, run_id: int) -> Run:
    """Queue a full run that may remove what a parked one wanted to; the answer is that run.

    A queued or running run of the user takes the approval over. Raises `UnknownItem` for a run that isn't parked,
    `UnknownUser` and `GrantRejected` if its user can't be synced.
    """
    parked = runs.require(tx, run_id)
    if not _is_parked(tx, parked):
        raise UnknownItem(f"run {run_id} doesn't wait for an approval", hint="contacts-sync runs list --status failed")
    _require_grant(tx, parked.user_id)
    run, _ = runs.enqueue(
        tx, user_id=parked.user_id, kind=RunKind.FULL, trigger=Trigger.MANUAL, now=now(), approves_run_id=run_id
    )
    return run


def _is_parked(tx: Transaction, run: Run) -> bool:
    """True for a run that waits for an approval: it has none yet, and no later run has gone well without."""
    latest = runs.latest_ended(tx, run.user_id) or run
    return (
        run.error_type == MassDeletion.__name__
        and runs.approval_of(tx, run.id) is None
        and (latest.id <= run.id or latest.status is not RunStatus.SUCCEEDED)
    )


def _require_grant(tx: Transaction, user_id: str) -> None:
    if linked(tx, user_id).status is ConnectionStatus.NEEDS_REAUTH:
        raise GrantRejected(
            f"user {user_id!r} must consent again first", hint=f"contacts-sync connect {typed(user_id)}"
        )
