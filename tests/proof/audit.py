"""What must hold in a store at every instant, and what it looks like once all is done."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from contacts_sync import vault
from contacts_sync.errors import UnreadableGrant
from contacts_sync.store import tables
from contacts_sync.store.engine import Database
from tests.inside import copy_of, rows

ALL_OR_NOTHING = {
    "a linked connection without its token": "SELECT c.user_id FROM connections c LEFT JOIN oauth_tokens t"
    " ON t.user_id = c.user_id WHERE c.status <> 'disconnected' AND t.user_id IS NULL",
    "a token without its connection": "SELECT t.user_id FROM oauth_tokens t LEFT JOIN connections c"
    " ON c.user_id = t.user_id WHERE c.user_id IS NULL OR c.status = 'disconnected'",
    "a connection without its sync state": "SELECT c.user_id FROM connections c LEFT JOIN sync_states s"
    " ON s.user_id = c.user_id WHERE s.user_id IS NULL",
    "a sync token that outlived its connection": "SELECT s.user_id FROM sync_states s JOIN connections c"
    " ON c.user_id = s.user_id WHERE c.status = 'disconnected' AND s.contacts_sync_token IS NOT NULL",
    "a sync token without a success": "SELECT user_id FROM sync_states"
    " WHERE contacts_sync_token IS NOT NULL AND last_success_at IS NULL",
    "a run that nobody may carry out": "SELECT r.id FROM sync_runs r LEFT JOIN connections c ON c.user_id = r.user_id"
    " WHERE r.status IN ('queued', 'running') AND (c.user_id IS NULL OR c.status = 'disconnected')",
    "a running run without worker and lease": "SELECT id FROM sync_runs"
    " WHERE status = 'running' AND (worker_id IS NULL OR lease_expires_at IS NULL OR started_at IS NULL)",
    "a run that is held though it isn't running": "SELECT id FROM sync_runs"
    " WHERE status <> 'running' AND lease_expires_at IS NOT NULL",
    "an ended run without its end": "SELECT id FROM sync_runs"
    " WHERE status IN ('succeeded', 'failed', 'cancelled') AND finished_at IS NULL",
    "two runs of one user at once": "SELECT user_id FROM sync_runs WHERE status IN ('queued', 'running')"
    " GROUP BY user_id HAVING count(*) > 1",
    "counters that tell of other contacts than there are": "SELECT r.user_id"
    " FROM (SELECT user_id, sum(contacts_imported - contacts_deleted) AS told FROM sync_runs GROUP BY user_id) r"
    " LEFT JOIN (SELECT user_id, count(*) AS kept FROM contacts GROUP BY user_id) c ON c.user_id = r.user_id"
    " WHERE r.told <> coalesce(c.kept, 0)",
    "counters that tell of other labels than there are": "SELECT r.user_id"
    " FROM (SELECT user_id, sum(groups_imported - groups_deleted) AS told FROM sync_runs GROUP BY user_id) r"
    " LEFT JOIN (SELECT user_id, count(*) AS kept FROM contact_groups GROUP BY user_id) g ON g.user_id = r.user_id"
    " WHERE r.told <> coalesce(g.kept, 0)",
    "a contact without its e-mail address": "SELECT c.id FROM contacts c LEFT JOIN contact_emails e"
    " ON e.contact_id = c.id WHERE e.contact_id IS NULL AND CAST(c.payload AS TEXT) LIKE '%emailAddresses%'",
    # Where Google fails to list them, contacts come without labels, until the run's next attempt.
    "a contact without a label": "SELECT c.id FROM contacts c LEFT JOIN contact_group_members m"
    " ON m.contact_id = c.id WHERE m.contact_id IS NULL AND CAST(c.payload AS TEXT) LIKE '%myContacts%'"
    " AND c.user_id IN (SELECT user_id FROM contact_groups)",
}


def findings(db: Database, key_file: Path) -> list[str]:
    """What is wrong with the store, in words; nothing, after whatever happened to it."""
    found = list(_damage(db))
    found += [f"{what}: {bad}" for what, query in ALL_OR_NOTHING.items() if (bad := rows(db, query))]
    return found + [f"a token that no key opens: {user}" for user in _sealed_for_nobody(db, key_file)]


def _damage(db: Database) -> Iterator[str]:
    if db.path is None:
        return
    with closing(sqlite3.connect(db.path)) as store:
        verdict = store.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            yield f"integrity: {verdict}"
        if dangling := store.execute("PRAGMA foreign_key_check").fetchall():
            yield f"foreign keys: {dangling}"


def _sealed_for_nobody(db: Database, key_file: Path) -> Iterator[str]:
    for user, sealed in rows(db, "SELECT user_id, sealed FROM oauth_tokens"):
        opened = False
        with suppress(UnreadableGrant):
            opened = bool(vault.open_grant(vault.current_keys(key_file), user, sealed).refresh_token)
        if not opened:
            yield user


def summary(db: Database) -> dict[str, Any]:
    """All of the store that doesn't depend on when, how often, and in which process it came about."""
    users = rows(db, "SELECT user_id, status, google_account FROM connections ORDER BY user_id")
    return {
        "connections": users,
        "copies": {user: copy_of(db, user) for user, _, _ in users},
        "tokens": rows(db, "SELECT user_id FROM oauth_tokens ORDER BY user_id"),
        "sync tokens": rows(db, "SELECT user_id, contacts_sync_token IS NOT NULL FROM sync_states ORDER BY user_id"),
        "counters": rows(
            db,
            "SELECT user_id, sum(contacts_imported), sum(contacts_updated), sum(contacts_deleted),"
            " sum(groups_imported), sum(groups_updated), sum(groups_deleted)"
            " FROM sync_runs GROUP BY user_id ORDER BY user_id",
        ),
        "unfinished": rows(db, "SELECT user_id FROM sync_runs WHERE status IN ('queued', 'running') ORDER BY user_id"),
        "failed": Counter(rows(db, "SELECT user_id FROM sync_runs WHERE status = 'failed'")),
    }


def everything(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the heartbeats."""
    names = sorted(tables.metadata.tables.keys() - {tables.nodes.name})
    return {name: sorted(rows(db, f"SELECT * FROM {name}"), key=repr) for name in names}
