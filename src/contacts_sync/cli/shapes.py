"""The JSON of the contract: runs, users, contacts, with the columns that applications know from the tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from contacts_sync.cli.output import instant
from contacts_sync.model import Counters, Node, Run
from contacts_sync.store.contacts import ContactRow

RUN_FIELDS = (
    "id",
    "user_id",
    "kind",
    "trigger",
    "status",
    "slot",
    "not_before",
    "attempts",
    "starts",
    "queued_at",
    "started_at",
    "finished_at",
    "error_type",
    "error_message",
    "error_traceback",
    "deferrals",
    "approves_run_id",
)
RUN_TIMES = {"not_before", "queued_at", "started_at", "finished_at"}
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


def run_document(run: Run) -> dict[str, Any]:
    """A run."""
    plain = {name: instant(getattr(run, name)) if name in RUN_TIMES else getattr(run, name) for name in RUN_FIELDS}
    return {**plain, **{name: getattr(run.counters, name) for name in Counters.__slots__}}


def contact_document(contact: ContactRow, *, whole: bool = False) -> dict[str, Any]:
    """A contact; `whole` adds Google's payload."""
    import json

    return {
        **{name: getattr(contact, name) for name in CONTACT_FIELDS},
        "synced_at": instant(contact.synced_at),
        "emails": [asdict(email) for email in contact.emails],
        "phones": [asdict(phone) for phone in contact.phones],
        "groups": list(contact.groups),
        **({"payload": json.loads(contact.payload)} if whole else {}),
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
    """A run that has ended, or waits, in one line."""
    counts = run.counters
    took = ""
    if run.started_at and run.finished_at:
        took = f" in {(run.finished_at - run.started_at).total_seconds():.1f} s"
    told = f"{run.user_id}: {run.kind} sync {run.status}{took} (run {run.id})"
    if run.error_type:
        return f"{told}: {run.error_type}: {run.error_message}"
    return (
        f"{told}: {counts.contacts_imported} imported, {counts.contacts_updated} updated, "
        f"{counts.contacts_deleted} deleted"
    )
