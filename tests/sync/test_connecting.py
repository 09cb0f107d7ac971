"""A grant that isn't stored is revoked, and one that was is cut off whatever Google says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contacts_sync.errors import KeyProblem, PassingTrouble
from contacts_sync.google import oauth
from contacts_sync.google.http import Transport
from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.sandbox.faults import Stage
from contacts_sync.sync.connecting import disconnect
from contacts_sync.sync.desk import Desk
from tests.inside import join, rows

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
