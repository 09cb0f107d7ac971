"""Why nothing happens for a user, and what to do: the `note` of `status`. Pure."""

from __future__ import annotations

from datetime import datetime

from contacts_sync.cli.output import instant
from contacts_sync.errors import MassDeletion, RunAbandoned, typed
from contacts_sync.model import Connection, ConnectionStatus, Pause, Run, RunStatus


def note_for(
    connection: Connection,
    *,
    closed: str | None,
    broken: str | None,
    pause: Pause | None,
    active: Run | None,
    latest: Run | None,
    daemon: bool,
    now: datetime,
) -> str | None:
    """The most pressing thing an operator should know about this user, or None if all is as it should be.

    `closed` says why no tokens open, `broken` what is wrong with the schedule; `active` is the queued or running
    run, `latest` the newest ended; `daemon` is whether one lives.
    """
    user = typed(connection.user_id)
    if connection.status is ConnectionStatus.DISCONNECTED:
        return None
    if connection.status is ConnectionStatus.NEEDS_REAUTH:
        why = connection.reauth_reason or "the grant is no longer valid"
        return f"{why}; schedule paused; next: contacts-sync connect {user}"
    if (common := _common(closed, pause, user)) is not None:
        return common
    if broken is not None:
        return f"{broken}; next: contacts-sync schedule set --cron '0 2 * * *' {user}"
    if active is not None:
        return _waits(active, user, daemon=daemon, now=now)
    return _stopped(latest, user) if latest is not None else None


def unreadable_note(count: int) -> str | None:
    """What Google has listed so that nobody can tell whose it is."""
    if not count:
        return None
    return f"{count} contacts came without a name of Google's: kept as they came, and asked for again by every run"


def _common(closed: str | None, pause: Pause | None, user: str) -> str | None:
    """What keeps everybody from being synced."""
    if closed is not None:
        return f"{closed}: put it back, or, if it is lost, next: contacts-sync connect {user}"
    if pause is not None:
        return f"all runs are paused since {instant(pause.since)}: {pause.message}; next: {pause.hint}"
    return None


def _waits(active: Run, user: str, *, daemon: bool, now: datetime) -> str | None:
    if active.status is not RunStatus.QUEUED:
        return None
    if active.not_before > now:
        why = "is deferred by Google's quota or the store" if active.deferred_since else "waits for its turn"
        return f"run {active.id} {why} and goes on at {instant(active.not_before)}"
    if daemon:
        return None
    return f"run {active.id} waits for a daemon; next: contacts-sync daemon, or contacts-sync run-now {user}"


def _stopped(latest: Run, user: str) -> str | None:
    if latest.status is not RunStatus.FAILED:
        return None
    if latest.error_type == MassDeletion.__name__:
        return f"{latest.error_message}; if that is right, next: contacts-sync runs approve {latest.id}"
    if latest.error_type == RunAbandoned.__name__:
        return f"run {latest.id} is quarantined: {latest.error_message}; next: contacts-sync run-now {user}"
    return None
