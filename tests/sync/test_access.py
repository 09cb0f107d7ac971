"""A user's tokens, while others refresh, replace or remove them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contacts_sync import vault
from contacts_sync.model import RunStatus
from contacts_sync.sandbox import Account, Sandbox, faults
from contacts_sync.sandbox.faults import Stage
from contacts_sync.store import connections
from contacts_sync.store.engine import read
from contacts_sync.sync.connecting import disconnect
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.livecheck import try_grant
from tests.inside import now, rows, sync

MINUTE = timedelta(minutes=1)


def stored_refresh_token(desk: Desk) -> str:
    with read(desk.db) as tx:
        sealed = connections.sealed_grant(tx, "alice")
    assert sealed
    return vault.open_grant(desk.vault, "alice", sealed.sealed).refresh_token


def test_a_rotated_refresh_token_is_stored_before_its_first_use(desk: Desk, google: Sandbox, account: Account) -> None:
    before = stored_refresh_token(desk)
    google.world.grants.rotate_refresh_tokens = True
    account.expire_access_tokens()
    seen: list[str] = []
    google.faults.add("groups", faults.at(Stage.REQUEST, lambda: seen.append(stored_refresh_token(desk))), times=None)
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    refused, first_use = seen[0], seen[1]
    assert (refused, stored_refresh_token(desk)) == (before, first_use)
    assert first_use != before


def test_a_refresh_token_that_somebody_else_has_rotated_is_read_again(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    google.world.grants.rotate_refresh_tokens = True
    account.expire_access_tokens()
    google.faults.add("token", faults.at(Stage.REQUEST, lambda: try_grant(desk, "alice")))
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 1)
    assert rows(desk.db, "SELECT status FROM connections") == [("connected",)]


def test_a_token_that_was_renewed_elsewhere_is_not_renewed_again(desk: Desk, google: Sandbox, account: Account) -> None:
    google.faults.add("groups", faults.at(Stage.REQUEST, lambda: renewed_elsewhere(desk, account)))
    before = google.count("token")
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert google.count("token") == before + 1


def test_a_token_that_was_renewed_elsewhere_and_is_refused_too_is_renewed(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    google.faults.add("groups", faults.at(Stage.REQUEST, lambda: renewed_elsewhere(desk, account)))
    google.faults.add("groups", faults.unauthenticated(), nth=3)
    before = google.count("token")
    assert sync(desk, "alice").run.status is RunStatus.SUCCEEDED
    assert google.count("token") == before + 2


def renewed_elsewhere(desk: Desk, account: Account) -> None:
    """The token that is on its way dies, and somebody stores another one."""
    account.expire_access_tokens()
    try_grant(desk, "alice")


def test_what_a_refresh_brings_is_not_kept_if_the_user_was_disconnected_meanwhile(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.expire_access_tokens()
    cut = faults.at(Stage.REQUEST, lambda: disconnect(desk, "alice", keep_grant=True, purge=False))
    google.faults.add("token", cut)
    assert sync(desk, "alice").run.status is RunStatus.CANCELLED
    assert rows(desk.db, "SELECT 1 FROM oauth_tokens") == []
    assert rows(desk.db, "SELECT status FROM connections") == [("disconnected",)]


def dated_by_a_clock_that_is_off(desk: Desk, account: Account, off: timedelta) -> Desk:
    """A fresh token has come to a host whose clock isn't Google's; the answer is the desk there."""
    there = replace(desk, clock=lambda: account.now() + off)
    account.expire_access_tokens()
    assert sync(there, "alice").run.status is RunStatus.SUCCEEDED
    return there


@pytest.mark.parametrize("off", [10 * MINUTE, -10 * MINUTE], ids=["ahead", "behind"])
def test_a_clock_that_is_off_renews_tokens_in_time_all_the_same(
    desk: Desk, google: Sandbox, account: Account, off: timedelta
) -> None:
    """O21."""
    there = dated_by_a_clock_that_is_off(desk, account, off)
    before = google.count("token"), google.count("groups")
    google.world.clock = lambda: now() + 30 * MINUTE
    assert sync(there, "alice").run.status is RunStatus.SUCCEEDED
    assert (google.count("token"), google.count("groups")) == (before[0], before[1] + 1)
    google.world.clock = lambda: now() + 57 * MINUTE
    assert sync(there, "alice").run.status is RunStatus.SUCCEEDED
    assert (google.count("token"), google.count("groups")) == (before[0] + 1, before[1] + 2)


def test_a_token_that_a_clock_set_right_since_takes_for_alive_is_renewed_when_google_refuses_it(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    """O21."""
    dated_by_a_clock_that_is_off(desk, account, 10 * MINUTE)
    before = google.count("token"), google.count("groups")
    google.world.clock = lambda: now() + 62 * MINUTE
    outcome = sync(replace(desk, clock=account.now), "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 1)
    assert (google.count("token"), google.count("groups")) == (before[0] + 1, before[1] + 2)
