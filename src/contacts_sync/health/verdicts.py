"""The signs of a user -> one word. Pure."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from contacts_sync.store.health import Sign

SIGNS = tuple(Sign(bits) for bits in range(int(~Sign(0)) + 1))


class Health(StrEnum):
    """How a user's syncs are going."""

    FRESH = "fresh"  # synced since the last slot
    LATE = "late"  # no success since the last slot, and the grace is over
    FAILING = "failing"  # the latest run failed
    NEEDS_REAUTH = "needs_reauth"  # the grant is dead: the user must give it again
    PAUSED = "paused"  # nothing happens until somebody decides, corrects or approves something
    NEVER_SYNCED = "never_synced"  # new: the first sync is still to come


def health_of(signs: Sign, *, all_paused: bool) -> Health:
    """The word for a user with these signs; `all_paused` while the operator's trouble keeps everybody waiting."""
    if Sign.NEEDS_REAUTH in signs:
        return Health.NEEDS_REAUTH
    if Sign.PARKED in signs:
        return Health.PAUSED
    if Sign.FAILING in signs:
        return Health.FAILING
    if Sign.UNSCHEDULED in signs or (all_paused and signs & (Sign.OVERDUE | Sign.NEVER)):
        return Health.PAUSED
    if Sign.OVERDUE in signs:
        return Health.LATE
    return Health.NEVER_SYNCED if Sign.NEVER in signs else Health.FRESH


@cache
def signs_of(health: Health, *, all_paused: bool) -> frozenset[Sign]:
    """All the signs that get this word, for a database to look for."""
    return frozenset(signs for signs in SIGNS if health_of(signs, all_paused=all_paused) is health)
