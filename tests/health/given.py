"""Words the tests of this floor share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contacts_sync.store.health import Sign, Trouble

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAILING = Sign.FAILING | Sign.STALE


def trouble(signs: Sign = FAILING, users: int = 1, **more: Any) -> Trouble:
    facts = {"error_type": "PassingTrouble", "message": "Google answered 503", "example": "alice", **more}
    return Trouble(signs=signs, users=users, **facts)
