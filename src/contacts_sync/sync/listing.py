"""One complete reading of a user's contacts: how far it has come, and what it has shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from contacts_sync.errors import PassingTrouble
from contacts_sync.google.wire import resource_name_of
from contacts_sync.model import Page, Person

PAGE_CEILING = 10_000  # far above what Google's 25,000 contacts an account can fill, whatever the page size


@dataclass(slots=True)
class Listing:
    """Progress of a reading; survives the attempts of a run, so that one goes on from the page it had reached.

    With a `sync_token` it is incremental: only changes and tombstones come. `seen` are the resource names shown
    alive, `owners` the rows they belong to, `tombstones` the names that have gone, `unreadable` what has no name,
    `total` how many Google says there are (the least that a page has said: somebody may delete meanwhile).

    `from_nothing`: nobody was stored when it began, and who is now was on a page that it has noted; `sources` are
    the CONTACT source ids of those whose names don't tell them.
    """

    sync_token: str | None
    page_token: str | None = None
    next_sync_token: str | None = None
    complete: bool = False
    endless: bool = False
    seen: set[str] = field(default_factory=set)
    owners: dict[int, str] = field(default_factory=dict)
    tombstones: set[str] = field(default_factory=set)
    page_tokens: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    total: int | None = None
    from_nothing: bool = False
    sources: set[str] = field(default_factory=set)

    @property
    def listed(self) -> int:
        """How many items have come."""
        return len(self.seen) + len(self.tombstones) + len(self.unreadable)

    @property
    def short(self) -> bool:
        """True if fewer have come than Google says there are: who is missing hasn't necessarily gone."""
        return self.full and self.total is not None and self.listed < self.total

    @property
    def full(self) -> bool:
        """True if this reading shows everything that Google has."""
        return self.sync_token is None

    def knows_none_of(self, names: Collection[str], sources: Collection[str]) -> bool:
        """True if nobody with one of these names or source ids can be stored, so that the store needn't be asked."""
        if not self.from_nothing or not self.sources.isdisjoint(sources):
            return False
        suspected = {*names, *map(resource_name_of, sources)}
        return self.seen.isdisjoint(suspected) and self.tombstones.isdisjoint(suspected)

    def note(self, page: Page, owners: Mapping[int, str], superseded: Iterable[str]) -> None:
        """Record what a committed page has shown, and where to go on.

        Raises `PassingTrouble` for a pager that would never end.
        """
        self.unreadable += page.unreadable
        if page.total is not None:
            self.total = page.total if self.total is None else min(self.total, page.total)
        for entry in page.entries:
            self._note_entry(entry)
        self.owners.update(owners)
        self.tombstones.update(superseded)
        self._turn_to(page.next_page_token)
        self.next_sync_token = page.next_sync_token or None if self.complete else None

    def _note_entry(self, entry: Person | str) -> None:
        if isinstance(entry, Person):
            self.seen.add(entry.resource_name)
            if self.from_nothing and entry.source_id and resource_name_of(entry.source_id) != entry.resource_name:
                self.sources.add(entry.source_id)
            self.tombstones.discard(entry.resource_name)
        else:
            self.tombstones.add(entry)
            self.seen.discard(entry)

    def _turn_to(self, page_token: str | None) -> None:
        self.page_token = page_token
        if page_token is None:
            self.complete = True
            return
        if page_token in self.page_tokens or len(self.page_tokens) >= PAGE_CEILING:
            self.endless = True
            raise PassingTrouble(f"Google's pages don't end: after {len(self.page_tokens) + 1} one comes again")
        self.page_tokens.add(page_token)
