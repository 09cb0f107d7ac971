"""Runs as JSON shows them, to whoever asks and whoever is told: with the columns that applications know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contacts_sync.model import Counters, Run

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
SECONDS = len("2026-03-01T02:00:00")


def instant(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z, to the second."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return f"{value.isoformat()[:SECONDS]}Z"


def run_document(run: Run) -> dict[str, Any]:
    """A run."""
    plain = {name: instant(getattr(run, name)) if name in RUN_TIMES else getattr(run, name) for name in RUN_FIELDS}
    return {**plain, **{name: getattr(run.counters, name) for name in Counters.__slots__}}
