"""A user's labels while a run is carried out: what Google lists of them, what the store holds, which have vanished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contacts_sync.errors import PassingTrouble, Remedy, RequestRejected, SyncError
from contacts_sync.google import people
from contacts_sync.model import GroupChanges, KnownGroup, Person, Run
from contacts_sync.store import contacts
from contacts_sync.store.engine import Transaction, read
from contacts_sync.sync import plan
from contacts_sync.sync.access import Access
from contacts_sync.sync.desk import Desk, fenced

NO_CHANGES = GroupChanges()


class Labels:
    """What one claim of a run knows of them. `vanished` are the ids of stored ones that Google no longer lists, for
    the end of the run; `sync_token` is the listing's.
    """

    def __init__(self, run: Run, desk: Desk, access: Access, stored: list[KnownGroup]) -> None:
        self.vanished: tuple[int, ...] = ()
        self.sync_token: str | None = None
        self._run = run
        self._desk = desk
        self._access = access
        self._stored: list[KnownGroup] | None = stored
        self._listed: frozenset[str] | None = None
        self._chased: frozenset[str] = frozenset()
        self._ids: dict[str, int] | None = None

    @property
    def are_listed(self) -> bool:
        """True once Google has listed them."""
        return self._listed is not None

    def try_to_list(self) -> SyncError | None:
        """List them. If Google has trouble with them only, that is the answer: those that are stored must do."""
        self._access.refresh_if_due()  # trouble with the token isn't the labels' alone
        try:
            self._list()
        except (PassingTrouble, RequestRejected) as trouble:
            if trouble.remedy is Remedy.DEFER:
                raise
            self._ids = contacts.ids_of(self._take_stored())
            return trouble
        return None

    def for_people(self, alive: Iterable[Person]) -> frozenset[str]:
        """The known ones. One made after they were listed is named by people only: then they are listed anew."""
        if self._listed is None:
            return frozenset(self._ids or ())
        unknown = frozenset().union(*(person.memberships for person in alive)) - self._listed - self._chased
        if unknown:
            self._chased |= unknown
            self._list()
        return self._listed

    def ids(self, tx: Transaction) -> dict[str, int]:
        """The ids of the stored ones by resource name: nobody else changes them while the run is this worker's."""
        if self._ids is None:
            self._ids = contacts.ids_of(contacts.known_groups(tx, self._run.user_id))
        return self._ids

    def _list(self) -> None:
        """New and renamed ones are committed at once, since contacts refer to them; vanished ones at the end."""
        user_id = self._run.user_id
        listed = self._access.call(lambda token: people.fetch_groups(self._desk.people, token, user_id=user_id))
        stored = self._take_stored()
        if plan.lacks_googles_own(stored, listed.groups):
            raise PassingTrouble("Google's list of labels lacks those that every account has")
        changes = plan.plan_groups(stored, listed.groups)
        additions = replace(changes, removals=())
        self._ids = contacts.ids_of(stored) if additions == NO_CHANGES else None
        if additions != NO_CHANGES:
            with fenced(self._desk, self._run, additions.counters) as tx:
                contacts.apply_groups(tx, user_id, additions, self._desk.clock())
        self._listed = frozenset(group.resource_name for group in listed.groups)
        self.vanished, self.sync_token = changes.removals, listed.sync_token

    def _take_stored(self) -> list[KnownGroup]:
        """What the store holds: as the claim found it, or read anew once they have been listed."""
        stored, self._stored = self._stored, None
        if stored is None:
            with read(self._desk.db) as tx:
                stored = contacts.known_groups(tx, self._run.user_id)
        return stored
