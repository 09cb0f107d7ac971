from __future__ import annotations

from contacts_sync.store import migrate
from contacts_sync.store.engine import Database


def test_a_new_store_is_at_the_newest_revision(db: Database) -> None:
    assert migrate.current(db) == migrate.head()
