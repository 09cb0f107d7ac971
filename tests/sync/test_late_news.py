"""Google shows a change only minutes after it was made: the copy is late as well, and then complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contacts_sync.model import RunStatus
from contacts_sync.sandbox import Account, Sandbox, faults
from contacts_sync.store import connections
from contacts_sync.store.engine import read
from contacts_sync.sync.desk import Desk
from tests.inside import copy_of, sync, world_of
from tests.sync.conftest import EMAIL


def sync_token(desk: Desk) -> str | None:
    with read(desk.db) as tx:
        return connections.sync_state(tx, "alice").contacts_sync_token


def not_yet(hidden: str | None, token: str | None) -> Callable[[dict[str, Any]], None]:
    """A server that hasn't heard of the newest change: its page lacks one person, or all, and its token is older."""

    def lag(page: dict[str, Any]) -> None:
        shown = page.get("connections", [])
        page["connections"] = [person for person in shown if hidden and person["resourceName"] != hidden]
        page["nextSyncToken"] = token
        page.pop("totalItems", None)

    return lag


@pytest.mark.parametrize(
    "change",
    [
        lambda account, _name: account.add_person(given_name="New"),
        lambda account, name: account.change_person(name, given_name="Changed"),
        lambda account, name: account.delete_person(name),
        lambda account, name: account.rename_resource(name),
    ],
    ids=["added", "changed", "deleted", "moved"],
)
def test_a_change_that_google_shows_late_comes_with_the_next_sync(
    desk: Desk, google: Sandbox, account: Account, change: Callable[[Account, str], object]
) -> None:
    """G30."""
    name, *_ = account.add_people(3)
    sync(desk, "alice")
    before = copy_of(desk.db, "alice")
    change(account, name)
    google.faults.add("people", faults.edited(not_yet(None, sync_token(desk))))
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert copy_of(desk.db, "alice") == before
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)


def test_who_is_known_already_and_missing_in_a_late_full_listing_comes_back(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    """G30."""
    account.add_people(3)
    sync(desk, "alice")
    before = sync_token(desk)
    name = account.add_person(given_name="New")
    sync(desk, "alice")
    google.faults.add("people", faults.edited(not_yet(name, before)))
    sync(desk, "alice", full=True)
    assert name not in copy_of(desk.db, "alice")["people"]
    sync(desk, "alice")
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)
