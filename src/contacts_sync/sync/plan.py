"""What we know + what came -> what to change. Pure: nothing here touches a store or a wire."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import msgspec

from contacts_sync.model import (
    Changes,
    ContactUpdate,
    Group,
    GroupChanges,
    KnownContact,
    KnownGroup,
    Page,
    Person,
)

SYSTEM = "system"
FIELDS, VALUE = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder()
RENEWED = {"etag", "metadata"}
LISTED = frozenset({"emailAddresses", "phoneNumbers"})  # these have tables of their own
SEARCHED = LISTED | {"names", "nicknames", "organizations", "biographies"}


@dataclass(frozen=True, slots=True)
class PagePlan:
    """What a page changes, which known rows its people own, and which rows a merge has left behind.

    `owners` maps contact ids to the resource name under which the listing has shown them. `superseded` are
    resource names of rows whose contact now lives in another row.
    """

    changes: Changes
    owners: Mapping[int, str]
    superseded: frozenset[str]


NOTHING = PagePlan(Changes(), {}, frozenset())


def people_of(page: Page) -> list[Person]:
    """The people a page leaves alive, each once: the last word about a resource name counts."""
    last = {_name(entry): entry for entry in page.entries}
    return [entry for entry in last.values() if isinstance(entry, Person)]


def names_of(people: Iterable[Person]) -> set[str]:
    """Every resource name under which these people may be known: their own and their previous ones."""
    return {name for person in people for name in (person.resource_name, *person.previous_resource_names)}


def strangers(known: Iterable[KnownContact], people: Iterable[Person]) -> list[Person]:
    """The people whose own resource name nobody has: they may be known by their CONTACT source id."""
    names = {row.resource_name for row in known}
    return [person for person in people if person.resource_name not in names]


def sources_of(people: Iterable[Person]) -> set[str]:
    """The CONTACT source ids of these people."""
    return {person.source_id for person in people if person.source_id}


def doubtful(known: Iterable[KnownContact], people: Iterable[Person], *, trust_etags: bool) -> list[int]:
    """Rows whose etag can't tell that they are the same, so that their stored payloads must be compared.

    That is so where the etag is another one (Google renews them at will), after a disconnect (which clears them),
    for sources without an etag, and for everybody when the request's shape has changed.
    """
    fresh = {person.resource_name: person.etag for person in people}
    return [
        row.id
        for row in known
        if not trust_etags or row.etag is None or fresh.get(row.resource_name, row.etag) != row.etag
    ]


def plan_page(
    known: Sequence[KnownContact],
    people: Sequence[Person],
    *,
    labels: Collection[str],
    owners: Mapping[int, str],
    stored: Mapping[int, str],
    by_source: bool,
) -> PagePlan:
    """Decide what a page changes.

    `known`: the rows that may belong to these people. `labels`: the group resource names the store knows.
    `owners`: what earlier pages of this listing have decided. `stored`: payloads of the doubtful rows.
    `by_source`: also find a row by its CONTACT source id (full listings, where previous names aren't told).
    """
    if not known:
        return PagePlan(Changes(inserts=tuple(people)), {}, frozenset())
    finder = _Finder(known, people, owners, by_source=by_source)
    inserts: list[Person] = []
    updates: list[ContactUpdate] = []
    members: dict[int, frozenset[str]] = {}
    for person in people:
        row = finder.find(person)
        if row is None:
            inserts.append(person)
            continue
        updates.extend(_update(row, person, stored))
        wanted = person.memberships & frozenset(labels)
        if wanted != row.memberships:
            members[row.id] = wanted
    return PagePlan(Changes(tuple(inserts), tuple(updates), members), finder.taken, finder.superseded(people))


class _Finder:
    """Which known row is a person's? Own name first, then a previous name, then the CONTACT source id."""

    def __init__(
        self,
        known: Iterable[KnownContact],
        people: Sequence[Person],
        owners: Mapping[int, str],
        *,
        by_source: bool,
    ) -> None:
        self._by_name = {row.resource_name: row for row in known}
        self._by_source: dict[str | None, KnownContact] = {
            row.source_id: row for row in self._by_name.values() if by_source and row.source_id
        }
        self._alive = {person.resource_name for person in people}
        self._owners = owners
        self.taken: dict[int, str] = {}

    def find(self, person: Person) -> KnownContact | None:
        row = self._by_name.get(person.resource_name) or next(self._moved(person), None)
        if row is not None:
            self.taken[row.id] = person.resource_name
        return row

    def superseded(self, people: Iterable[Person]) -> frozenset[str]:
        previous = {name for person in people for name in person.previous_resource_names}
        return frozenset(
            name
            for name in previous - self._alive
            if name in self._by_name and self._by_name[name].id not in {**self._owners, **self.taken}
        )

    def _moved(self, person: Person) -> Iterator[KnownContact]:
        candidates = [self._by_name.get(name) for name in person.previous_resource_names]
        candidates.append(self._by_source.get(person.source_id))
        for row in candidates:
            if row is not None and self._is_free(row):
                yield row

    def _is_free(self, row: KnownContact) -> bool:
        """A row that this listing has shown alive under its own name is nobody else's."""
        return row.id not in self._owners and row.id not in self.taken and row.resource_name not in self._alive


def _update(row: KnownContact, person: Person, stored: Mapping[int, str]) -> list[ContactUpdate]:
    if row.resource_name != person.resource_name:
        return [ContactUpdate(row.id, person)]
    moves = row.source_id != person.source_id
    if row.id not in stored:
        return [ContactUpdate(row.id, person, moves=moves)] if row.etag != person.etag else []
    changed = differing(stored[row.id], person.payload)
    if not changed and row.etag == person.etag:
        return []
    lists, words = not changed.isdisjoint(LISTED), not changed.isdisjoint(SEARCHED)
    return [ContactUpdate(row.id, person, counts=bool(changed), moves=moves, lists=lists, words=words)]


def differing(stored: str, fresh: str) -> frozenset[str]:
    """The fields in which two payloads differ; etags and metadata, which Google renews at will, are left out.

    A stored one that can't be read, as somebody may have edited it, differs in all.
    """
    try:
        old, new = FIELDS.decode(stored), FIELDS.decode(fresh)
    except msgspec.MsgspecError:
        return SEARCHED
    names = (old | new).keys() - RENEWED
    return frozenset(name for name in names if _is_another(old.get(name), new.get(name)))


def _is_another(old: msgspec.Raw | None, new: msgspec.Raw | None) -> bool:
    """Mostly nothing but the bytes must be looked at."""
    if old is None or new is None:
        return True
    if old == new:
        return False
    try:
        return bool(VALUE.decode(old) != VALUE.decode(new))
    except msgspec.MsgspecError:
        return True


def _name(entry: Person | str) -> str:
    return entry if isinstance(entry, str) else entry.resource_name


def plan_groups(known: Iterable[KnownGroup], listed: Iterable[Group]) -> GroupChanges:
    """Compare a complete listing of labels with the stored ones."""
    rows = {row.resource_name: row for row in known}
    fresh = {group.resource_name: group for group in listed}
    return GroupChanges(
        inserts=tuple(group for name, group in fresh.items() if name not in rows),
        updates=tuple(
            (rows[name].id, group) for name, group in fresh.items() if name in rows and _differs(rows[name], group)
        ),
        removals=tuple(row.id for name, row in rows.items() if name not in fresh),
    )


def lacks_googles_own(known: Iterable[KnownGroup], listed: Iterable[Group]) -> bool:
    """True if the labels that every account has (`myContacts`, `starred`) were listed once and no longer are: whoever
    answers so knows nothing of this account, and believing it would take all memberships away.
    """
    return any(row.group_type == SYSTEM for row in known) and not any(one.group_type == SYSTEM for one in listed)


def _differs(row: KnownGroup, group: Group) -> bool:
    return (row.name, row.group_type) != (group.name, group.group_type)


def removals(
    known_names: Mapping[str, int], *, full: bool, seen: AbstractSet[str], tombstones: AbstractSet[str]
) -> frozenset[int]:
    """The ids a finished listing removes.

    A complete full listing removes whatever it hasn't shown; an incremental one only what its tombstones name
    and what still owns that name.
    """
    if full:
        return frozenset(id_ for name, id_ in known_names.items() if name not in seen)
    return frozenset(known_names[name] for name in tombstones if name in known_names)


def is_mass_deletion(removed: int, before: int, *, share: float, minimum: int) -> bool:
    """True if `removed` of the `before` contacts a user had is more than both the share and the minimum allow."""
    return removed > minimum and removed > share * before
