from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from contacts_sync.model import Bounds, Email, OwnSchedule
from contacts_sync.store import connections
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.fsck import breaches
from tests.inside import now
from tests.store.given import person, running, stored

HOUR = timedelta(hours=1)
BREAK: dict[str, str] = {
    "who is connected has a token": "DELETE FROM oauth_tokens",
    "who is disconnected has none": "UPDATE connections SET status = 'disconnected'",
    "no run outlives its lease": "UPDATE sync_runs SET lease_expires_at = started_at",
    "a running run has a worker and a lease": "UPDATE sync_runs SET lease_expires_at = NULL",
    "an ended run has its end": "UPDATE sync_runs SET status = 'cancelled'",
    "a failed run says why": "UPDATE sync_runs SET status = 'failed', finished_at = lease_expires_at",
    "a sync token comes from a success": "UPDATE sync_states SET contacts_sync_token = 'x'",
    "nobody is due by crontab and at intervals": "UPDATE connections SET cron = '0 2 * * *'",
    "who is connected and due at intervals has a next slot": "UPDATE interval_schedules SET next_slot_at = NULL",
    "an interval is some minutes up to 31 days": "UPDATE interval_schedules SET interval_minutes = -5",
    "contacts belong to a user": "UPDATE contacts SET user_id = 'nobody'",
    "a contact has Google's name": "UPDATE contacts SET resource_name = 'moving/1'",
    "a named contact can be found": "UPDATE contacts SET search_text = ''",
}


@pytest.fixture
def sound(db: Database) -> Database:
    running(db, "alice", now=now())
    stored(db, "alice", person(1, display_name="Zoë", emails=(Email("z@x"),)))
    with write(db) as tx:
        connections.set_schedule(tx, "alice", OwnSchedule(bounds=Bounds(HOUR, 2 * HOUR)), now=now())
        tx.execute(
            text("INSERT INTO sync_states (user_id) SELECT 'alice' WHERE NOT EXISTS (SELECT 1 FROM sync_states)")
        )
    return db


def broken(db: Database) -> list[str]:
    with read(db) as tx:
        return [one.rule for one in breaches(tx, now())]


def test_a_sound_store_breaks_no_rule(sound: Database) -> None:
    assert broken(sound) == []


@pytest.mark.parametrize("rule", BREAK)
def test_each_rule_is_seen_to_be_broken(sound: Database, rule: str) -> None:
    with write(sound) as tx:
        tx.execute(text(BREAK[rule]))
    assert rule in broken(sound)


def test_rows_without_their_contact_are_seen_on_sqlite(sound: Database) -> None:
    if sound.path is None:
        pytest.skip("PostgreSQL can't be made to hold them")
    with sound.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("PRAGMA query_only = OFF")
        raw.execute("DELETE FROM contacts")
    assert "contact_emails belong to a contact" in broken(sound)
