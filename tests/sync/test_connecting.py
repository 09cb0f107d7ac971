"""What connecting leaves behind besides a grant: the hourly first day, if it is configured."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contacts_sync.sandbox import Sandbox
from contacts_sync.store import interval_schedules
from contacts_sync.store.engine import Database, read
from tests.inside import desk_for, join, now
from tests.sync.conftest import EMAIL


@pytest.mark.parametrize("onboarding", ["true", "false"])
def test_a_new_user_is_due_hourly_for_a_day_if_that_is_configured(
    google: Sandbox, db: Database, tmp_path: Path, onboarding: str
) -> None:
    join(desk_for(google, db, tmp_path, SCHEDULE__ONBOARDING=onboarding), google, "alice", EMAIL)
    with read(db) as tx:
        first_day = interval_schedules.get(tx, "alice")
    assert (first_day is not None) == (onboarding == "true")
    if first_day is not None:
        assert first_day.hourly_until is not None
        assert first_day.next_slot_at is not None
        assert first_day.next_slot_at < now() + timedelta(hours=1) < first_day.hourly_until
