"""A store with many users and their history, written in bulk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from contacts_sync.store import tables
from contacts_sync.store.engine import Database, write

ERRORS = (
    ("PassingTrouble", "Google answered 503"),
    ("RequestRejected", "Google refuses the request: 400"),
    ("MassDeletion", "210 of 300 contacts would go"),
)


def crowd(db: Database, users: int, now: datetime, *, days: int = 1, failing: int = 0, reauth: int = 0) -> list[str]:
    """Users `u000000`…, synced once each of the last days; the first are failing, the next need a new consent."""
    ids = [f"u{number:06}" for number in range(users)]
    with write(db) as tx:
        tx.execute(
            insert(tables.connections), [_connection(n, user, now, failing, reauth) for n, user in enumerate(ids)]
        )
        tx.execute(insert(tables.sync_states), [_state(n, user, now, failing) for n, user in enumerate(ids)])
        for day in reversed(range(days)):
            ended = now - timedelta(days=day)
            tx.execute(
                insert(tables.sync_runs),
                [
                    _run(n, user, ended - timedelta(seconds=n % 7200), failing if day == 0 else 0)
                    for n, user in enumerate(ids)
                ],
            )
    return ids


def _connection(number: int, user: str, now: datetime, failing: int, reauth: int) -> dict[str, Any]:
    dead = failing <= number < failing + reauth
    return {
        "user_id": user,
        "google_account": f"{user}@example.com",
        "google_sub": f"sub-{user}",
        "status": "needs_reauth" if dead else "connected",
        "reauth_reason": "the grant was revoked" if dead else None,
        "connected_at": now - timedelta(days=60),
        "scheduled_since": now - timedelta(days=60),
    }


def _state(number: int, user: str, now: datetime, failing: int) -> dict[str, Any]:
    fails = number < failing
    return {
        "user_id": user,
        "last_status": "failed" if fails else "succeeded",
        "last_error": ERRORS[number % 3][1] if fails else None,
        "consecutive_failures": 3 if fails else 0,
        "last_success_at": now - timedelta(seconds=number % 7200) - timedelta(days=3 if fails else 0),
    }


def _run(number: int, user: str, ended: datetime, failing: int) -> dict[str, Any]:
    error_type, message = ERRORS[number % 3] if number < failing else (None, None)
    began = ended - timedelta(milliseconds=200 + number * 37 % 9000)
    return {
        "user_id": user,
        "kind": "incremental",
        "trigger": "schedule",
        "status": "failed" if error_type else "succeeded",
        "not_before": began,
        "queued_at": began,
        "started_at": began,
        "finished_at": ended,
        "attempts": 1,
        "starts": 1,
        "contacts_updated": number % 5,
        "error_type": error_type,
        "error_message": message,
        "error_traceback": "Traceback (most recent call last):\n  <script>alert(1)</script>" if error_type else None,
    }
