"""A store with very many users, written in bulk: each connected, with a sealed grant, and synced the day before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert

from contacts_sync import vault
from contacts_sync.google.oauth import CONTACTS_SCOPE
from contacts_sync.model import Grant
from contacts_sync.store import tables
from contacts_sync.store.engine import Database, Transaction, write

DAY = timedelta(days=1)
BATCH = 10_000


def settle(
    db: Database,
    keys: vault.Vault,
    users: int,
    now: datetime,
    *,
    fingerprint: str = "",
    labels: Sequence[tuple[str, str, str]] = (),
    contacts: int = 0,
    due: bool = False,
) -> list[str]:
    """Users `u000000`…, whose last sync ended a day ago, and with it their access tokens.

    Each has `labels` (resource name, name, group type) and so many `contacts`. `due`: a slot has been missed since.
    """
    ids = [f"u{number:06}" for number in range(users)]
    for start in range(0, users, BATCH):
        some = ids[start : start + BATCH]
        with write(db) as tx:
            _fill(tx, tables.connections, [_connection(user, now) for user in some])
            _fill(tx, tables.oauth_tokens, [_tokens(keys, user, now) for user in some])
            _fill(tx, tables.sync_states, [_state(user, now, fingerprint, due) for user in some])
            _fill(tx, tables.sync_runs, [_run(user, now) for user in some])
            _fill(tx, tables.contact_groups, [_label(user, *label, now) for user in some for label in labels])
            _fill(tx, tables.contacts, [_contact(user, n, now) for user in some for n in range(contacts)])
    return ids


def _fill(tx: Transaction, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(insert(table), rows)


def _connection(user: str, now: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "google_account": f"{user}@example.com",
        "google_sub": f"sub-{user}",
        "status": "connected",
        "connected_at": now - 60 * DAY,
        "scheduled_since": now - 60 * DAY,
    }


def _tokens(keys: vault.Vault, user: str, now: datetime) -> dict[str, Any]:
    grant = Grant(f"ya29.{user:-^200}", f"1//{user:-^100}", now - DAY, (CONTACTS_SCOPE,))
    return {"user_id": user, "sealed": vault.seal_grant(keys, user, grant), "version": 1}


def _state(user: str, now: datetime, fingerprint: str, due: bool) -> dict[str, Any]:
    return {
        "user_id": user,
        "contacts_sync_token": "0",  # the generation that the pre-rendered Google begins with
        "groups_sync_token": f"groups-{user}",
        "request_fingerprint": fingerprint,
        "last_status": "succeeded",
        "last_full_sync_at": now - 2 * DAY,
        "last_incremental_sync_at": now - DAY,
        "last_success_at": now - DAY,
        "queued_until": now - DAY if due else now,
    }


def _run(user: str, now: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "kind": "incremental",
        "trigger": "schedule",
        "status": "succeeded",
        "not_before": now - DAY,
        "queued_at": now - DAY,
        "started_at": now - DAY,
        "finished_at": now - DAY,
        "attempts": 1,
        "starts": 1,
    }


def _label(user: str, resource_name: str, name: str, group_type: str, now: datetime) -> dict[str, Any]:
    return {
        "user_id": user,
        "resource_name": resource_name,
        "name": name,
        "group_type": group_type,
        "synced_at": now - DAY,
    }


def _contact(user: str, number: int, now: datetime) -> dict[str, Any]:
    name = f"people/c{number}"
    return {
        "user_id": user,
        "resource_name": name,
        "source_id": f"s{number}",
        "etag": f"e{number}",
        "display_name": f"Person {number}",
        "payload": f'{{"resourceName": "{name}"}}',
        "synced_at": now - DAY,
        "search_text": f"person {number}",
    }
