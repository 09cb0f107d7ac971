"""The JSON of the contract: users, contacts, daemons, with the columns that applications know from the tables."""

from __future__ import annotations

import json
from typing import Any

from contacts_sync.cli.timing import schedule_document
from contacts_sync.documents import instant
from contacts_sync.model import Connection, ConnectionStatus, IntervalSchedule, Node, Run, Schedule, SyncState
from contacts_sync.store.contacts import ContactRow

CONTACT_FIELDS = (
    "id",
    "user_id",
    "resource_name",
    "etag",
    "display_name",
    "given_name",
    "family_name",
    "nickname",
    "organization",
    "job_title",
    "birthday",
    "notes",
    "photo_url",
)


def contact_document(contact: ContactRow) -> dict[str, Any]:
    """A contact with its values, the names of its labels, and Google's Person as received."""
    return {
        **{name: getattr(contact, name) for name in CONTACT_FIELDS},
        "synced_at": instant(contact.synced_at),
        "emails": [email._asdict() for email in contact.emails],
        "phones": [phone._asdict() for phone in contact.phones],
        "groups": list(contact.groups),
        "payload": json.loads(contact.payload),
    }


def user_document(
    connection: Connection, schedule: Schedule, at_intervals: IntervalSchedule | None, state: SyncState
) -> dict[str, Any]:
    """A user's connection with the schedule that holds for it, and how its syncs went."""
    scheduled = connection.status is not ConnectionStatus.DISCONNECTED
    told = schedule_document(connection, schedule, at_intervals) if scheduled else {}
    return {
        "user_id": connection.user_id,
        "google_account": connection.google_account,
        "google_sub": connection.google_sub,
        "status": str(connection.status),
        "schedule": told.get("kind"),
        "cron": told.get("cron"),
        "timezone": told.get("timezone"),
        "interval": told.get("interval"),
        "connected_at": instant(connection.connected_at),
        "disconnected_at": instant(connection.disconnected_at),
        "last_status": state.last_status,
        "last_error": state.last_error,
        "last_success_at": instant(state.last_success_at),
        "last_full_sync_at": instant(state.last_full_sync_at),
        "last_incremental_sync_at": instant(state.last_incremental_sync_at),
        "consecutive_failures": state.consecutive_failures,
    }


def node_document(node: Node, *, alive: bool) -> dict[str, Any]:
    """A daemon."""
    return {
        "worker_id": node.worker_id,
        "host": node.host,
        "pid": node.pid,
        "version": node.version,
        "started_at": instant(node.started_at),
        "heartbeat_at": instant(node.heartbeat_at),
        "alive": alive,
    }


def run_line(run: Run) -> str:
    """A run in one line; why it failed is said elsewhere."""
    if not run.status.ended:
        return f"{run.user_id}: {run.kind} sync {run.status} (run {run.id})"
    counts, took = run.counters, ""
    if run.started_at and run.finished_at:
        took = f" in {(run.finished_at - run.started_at).total_seconds():.1f} s"
    return (
        f"{run.user_id}: {run.kind} sync {run.status}{took} (run {run.id}): "
        f"contacts {counts.contacts_imported} imported, {counts.contacts_updated} updated, "
        f"{counts.contacts_deleted} deleted; labels {counts.groups_imported} imported, "
        f"{counts.groups_updated} updated, {counts.groups_deleted} deleted"
    )
