"""When passing trouble is everybody's: Google or the network is down, and no user's run is to blame. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contacts_sync.errors import PageTokenRejected, PassingTrouble
from contacts_sync.model import End

USERS = 5  # that fail one after the other, and nobody succeeds between them
WITHIN = timedelta(minutes=10)
PASSING = {error.__name__ for error in (PassingTrouble, PageTokenRejected)}
HINT = "nothing: one run a minute tries, and everybody's go on once Google answers"


def is_outage(latest: Sequence[End], user_id: str, now: datetime) -> bool:
    """True if this user's run fails as the runs of others did just before. `latest` are the `USERS` - 1 newest ends."""
    recent = [end for end in latest if now - end.finished_at <= WITHIN]
    users = {end.user_id for end in recent} | {user_id}
    return len(users) >= USERS and all(end.error_type in PASSING for end in recent)
