"""A connected user on each database, with the sandbox in Google's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contacts_sync.sandbox import Account, Sandbox
from contacts_sync.store.engine import Database
from contacts_sync.sync.desk import Desk
from tests.inside import desk_for, join

EMAIL = "alice@example.com"


@pytest.fixture
def google() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.world.add_account(EMAIL)
        yield sandbox


@pytest.fixture
def account(google: Sandbox) -> Account:
    return google.world.account(EMAIL)


@pytest.fixture
def desk(google: Sandbox, db: Database, tmp_path: Path) -> Desk:
    """User `alice` is connected; her full sync is queued."""
    made = desk_for(google, db, tmp_path, SYNC__PAGE_SIZE="10")
    join(made, google, "alice", EMAIL)
    return made
