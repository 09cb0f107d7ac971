"""Why nothing happens for a user, and what to do: the `note` of `status`. Pure."""

from __future__ import annotations

from datetime import datetime

from contacts_sync.cli.output import instant
from contacts_sync.errors import MassDeletion, RunAbandoned
from contacts_sync.model import Connection, ConnectionStatus, Pause, Run, RunStatus


def note_for(
    connection: Connection,
    *,
    broken: str | None,
    pause: Pause | None,
    active: Run | None,
    latest: Run | None,
    now: datetime,
) -> str | None:
    """The most pressing thing an operator should know about this user, or None if all is as it should be.

    `broken` says what is wrong with the schedule; `active` is the queued or running run, `latest` the newest ended.
    """
    if connection.status is ConnectionStatus.DISCONNECTED:
        return None
    if connection.status is ConnectionStatus.NEEDS_REAUTH:
        why = connection.reauth_reason or "the grant is no longer valid"
        return f"{why}; schedule paused; contacts-sync connect {connection.user_id}"
    if pause is not None:
        return f"all runs are paused since {instant(pause.since)}: {pause.message}; {pause.hint}"
    if broken is not None:
        return f"{broken}; contacts-sync schedule set {connection.user_id} --cron '0 2 * * *'"
    return _about_runs(connection.user_id, active, latest, now)


def _about_runs(user_id: str, active: Run | None, latest: Run | None, now: datetime) -> str | None:
    if active is not None and active.status is RunStatus.QUEUED and active.not_before > now:
        why = "deferred by Google's quota" if active.deferred_since else "waits for its turn"
        return f"run {active.id} {why}, goes on at {instant(active.not_before)}"
    if active is None and latest is not None and latest.status is RunStatus.FAILED:
        if latest.error_type == MassDeletion.__name__:
            return f"{latest.error_message}; if that is right: contacts-sync runs approve {latest.id}"
        if latest.error_type == RunAbandoned.__name__:
            return f"run {latest.id} is quarantined: {latest.error_message}; contacts-sync run-now {user_id}"
    return None
