"""What a finished listing removes, and the guard that doesn't believe a mass deletion at once."""

from __future__ import annotations

from contacts_sync.errors import MassDeletion
from contacts_sync.model import Run
from contacts_sync.store import contacts, runs
from contacts_sync.store.engine import read
from contacts_sync.sync import plan
from contacts_sync.sync.desk import Desk, fenced
from contacts_sync.sync.listing import Listing


def gone_after(desk: Desk, run: Run, listing: Listing) -> frozenset[int]:
    """The contact ids that a complete listing removes; whoever is missing may be among those that can't be read, or
    that Google has counted and not listed.
    """
    full = listing.full and not listing.unreadable and not listing.short
    everybody = full and not listing.from_nothing  # else whoever is stored was shown, or has a tombstone
    if not everybody and not listing.tombstones:
        return frozenset()
    with read(desk.db) as tx:
        names = contacts.known_names(tx, run.user_id, None if everybody else listing.tombstones)
    return plan.removals(names, full=full, seen=listing.seen, tombstones=listing.tombstones)


def is_suspicious(desk: Desk, run: Run, gone: frozenset[int]) -> bool:
    """True if the run would remove more than `mass_delete_*` allow, beside what the operator has approved."""
    share, minimum = desk.settings.mass_delete_share, desk.settings.mass_delete_minimum
    if len(gone) <= minimum:
        return False
    with read(desk.db) as tx:
        current = runs.require(tx, run.id)  # an approval may have come while it runs
        before = contacts.count(tx, run.user_id) - current.counters.contacts_imported
        approved = runs.parked(tx, current.approves_run_id) if current.approves_run_id is not None else set()
    return plan.is_mass_deletion(len(gone - approved), before, share=share, minimum=minimum)


def park(desk: Desk, run: Run, gone: frozenset[int]) -> MassDeletion:
    """Keep what the run wanted to remove for `runs approve`; the answer is the error to raise."""
    with fenced(desk, run) as tx:
        runs.park(tx, run.id, gone)
    return MassDeletion(
        f"Google no longer shows {len(gone)} contacts of user {run.user_id!r}; nothing was removed",
        hint=f"if that is right: contacts-sync runs approve {run.id}",
    )
