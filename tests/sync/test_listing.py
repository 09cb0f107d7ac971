"""How far a reading has come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contacts_sync.errors import PassingTrouble
from contacts_sync.model import Page, Person
from contacts_sync.sync.listing import Listing


def page(*entries: str, to: str | None = None, sync_token: str | None = None) -> Page:
    """Entries: a resource name for a person, `-name` for a tombstone."""
    made = (name[1:] if name.startswith("-") else Person(name, None, "e", "{}") for name in entries)
    return Page(tuple(made), to, sync_token)


def test_only_the_last_pages_sync_token_counts() -> None:
    listing = Listing(sync_token=None)
    listing.note(page("a", to="2", sync_token="early"), {}, ())
    assert (listing.complete, listing.next_sync_token, listing.page_token) == (False, None, "2")
    listing.note(page("b", sync_token="last"), {}, ())
    assert (listing.complete, listing.next_sync_token) == (True, "last")


def test_an_empty_sync_token_is_none() -> None:
    listing = Listing(sync_token=None)
    listing.note(page("a", sync_token=""), {}, ())
    assert listing.next_sync_token is None


def test_the_last_word_about_a_name_counts_across_pages() -> None:
    listing = Listing(sync_token="t")
    listing.note(page("-a", "b", to="2"), {}, ())
    listing.note(page("a", "-b"), {}, ())
    assert (listing.seen, listing.tombstones) == ({"a"}, {"b"})


def counted(total: int, *names: str, to: str | None = None) -> Page:
    return replace(page(*names, to=to), total=total)


def test_a_full_listing_is_short_if_fewer_come_than_google_says_there_are() -> None:
    listing = Listing(sync_token=None)
    listing.note(counted(4, "a", "b", to="2"), {}, ())
    listing.note(counted(4, "c"), {}, ())
    assert (listing.listed, listing.short) == (3, True)


def test_a_listing_is_not_short_if_somebody_was_deleted_meanwhile() -> None:
    listing = Listing(sync_token=None)
    listing.note(counted(3, "a", to="2"), {}, ())
    listing.note(counted(2, "c"), {}, ())
    assert not listing.short


def test_of_an_incremental_listing_nobody_knows_how_long_it_is() -> None:
    listing = Listing(sync_token="t")
    listing.note(counted(100, "a"), {}, ())
    assert not listing.short


def test_a_repeated_page_token_is_stopped() -> None:
    listing = Listing(sync_token=None)
    listing.note(page("a", to="2"), {}, ())
    with pytest.raises(PassingTrouble, match="don't end"):
        listing.note(page("b", to="2"), {}, ())
    assert listing.endless


def test_a_thousand_empty_pages_are_read_to_their_end() -> None:
    """G18."""
    listing = Listing(sync_token=None)
    for number in range(1_000):
        listing.note(page(to=f"{number}"), {}, ())
        assert (listing.complete, listing.page_token) == (False, f"{number}")
    listing.note(page("a", sync_token="last"), {}, ())
    assert (listing.complete, listing.seen, listing.next_sync_token) == (True, {"a"}, "last")


def from_nothing(*pages: Page) -> Listing:
    listing = Listing(sync_token=None, from_nothing=True)
    for one in pages:
        listing.note(one, {}, ())
    return listing


def test_a_listing_that_began_with_nobody_stored_knows_none_of_those_it_has_not_shown() -> None:
    assert from_nothing().knows_none_of({"a"}, {"1"})
    assert from_nothing(page("a", to="2")).knows_none_of({"b"}, {"1"})
    assert not Listing(sync_token=None).knows_none_of({"a"}, {"1"})


@pytest.mark.parametrize(
    ("names", "sources"), [({"a", "z"}, set()), ({"gone"}, set()), ({"z"}, {"id-a"}), ({"z"}, {"ab"}), ({"z"}, {"AB"})]
)
def test_who_was_shown_may_be_stored_under_any_name_or_source(names: set[str], sources: set[str]) -> None:
    regular = Person("people/c171", "ab", "e", "{}")
    shown = replace(page(to="2"), entries=(Person("a", "id-a", "e", "{}"), Person("gone", None, "e", "{}"), regular))
    assert not from_nothing(shown, page("-gone", to="3")).knows_none_of(names, sources)
