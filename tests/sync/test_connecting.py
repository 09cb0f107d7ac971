"""A grant that isn't stored is revoked, one that was is cut off whatever Google says, and a first day begins."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contacts_sync.errors import KeyProblem, PassingTrouble
from contacts_sync.google import oauth
from contacts_sync.google.http import Transport
from contacts_sync.sandbox import Account, Sandbox, faults
from contacts_sync.sandbox.faults import Stage
from contacts_sync.store import contact_rows, interval_schedules
from contacts_sync.store.engine import Database, read
from contacts_sync.store.tables import metadata
from contacts_sync.sync.connecting import disconnect
from contacts_sync.sync.desk import Desk
from tests.inside import desk_for, join, now, rows, sync
from tests.sync.conftest import EMAIL

BOB = "bob@example.com"


def test_a_grant_that_cannot_be_sealed_is_revoked(desk: Desk, google: Sandbox) -> None:
    google.world.add_account(BOB)
    google.faults.add("groups", faults.at(Stage.REQUEST, desk.key_file.unlink))
    with pytest.raises(KeyProblem):
        join(desk, google, "bob", BOB)
    assert google.count("revoke") == 1
    assert rows(desk.db, "SELECT user_id FROM connections") == [("alice",)]


def test_a_revocation_is_given_less_than_ten_seconds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Transport] = []

    def unreachable(transport: Transport, *_: object) -> bool:
        given.append(transport)
        raise PassingTrouble("Google can't be reached in time")

    monkeypatch.setattr(oauth, "revoke", unreachable)
    assert not disconnect(desk, "alice", keep_grant=False, purge=False).revoked
    (transport,) = given
    assert transport.connect_timeout + 2 * transport.read_timeout < timedelta(seconds=10)
    assert rows(desk.db, "SELECT 1 FROM oauth_tokens") == []


def test_a_switch_of_accounts_leaves_nothing_of_the_old_one(desk: Desk, google: Sandbox, account: Account) -> None:
    account.add_person(given_name="Marker", emails=["marker@x.example"], labels=("Marker",))
    account.add_person(given_name="Marker", emails=["marker@x.example"])
    google.faults.add("people", faults.edited(lambda page: page["connections"][0].pop("resourceName")))
    sync(desk, "alice")
    assert {"contacts", "contact_emails", "contact_groups", "unreadable_contacts"} <= holders(desk.db, "marker")
    google.world.add_account(BOB)
    join(desk, google, "alice", BOB, switch_account=True)
    assert holders(desk.db, "marker") == holders(desk.db, EMAIL) == set()
    assert rows(desk.db, "SELECT contacts_sync_token, last_success_at FROM sync_states") == [(None, None)]
    with read(desk.db) as tx:
        assert contact_rows.search(tx, "Marker") == []


def holders(db: Database, word: str) -> set[str]:
    """The tables in which a word can be read anywhere."""
    names = [table.name for table in metadata.sorted_tables]
    return {name for name in names if word in str(rows(db, f"SELECT * FROM {name}")).lower()}


@pytest.mark.parametrize("onboarding", ["true", "false"])
def test_a_new_user_is_due_hourly_for_a_day_if_that_is_configured(
    google: Sandbox, db: Database, tmp_path: Path, onboarding: str
) -> None:
    join(desk_for(google, db, tmp_path, SCHEDULE__ONBOARDING=onboarding), google, "alice", EMAIL)
    with read(db) as tx:
        first_day = interval_schedules.get(tx, "alice")
    assert (first_day is not None) == (onboarding == "true")
    if first_day is not None:
        assert first_day.hourly_until is not None
        assert first_day.next_slot_at is not None
        assert first_day.next_slot_at < now() + timedelta(hours=1) < first_day.hourly_until
