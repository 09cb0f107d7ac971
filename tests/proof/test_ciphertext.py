"""Whoever can write to the store but has no key: nothing they do to a sealed token opens, and only its user suffers."""

from __future__ import annotations

import base64
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select, update

from contacts_sync import vault
from contacts_sync.errors import StoreUnavailable, UnreadableGrant
from contacts_sync.model import RunStatus
from contacts_sync.sandbox import Sandbox
from contacts_sync.store.engine import Database, read, write
from contacts_sync.store.tables import connections, oauth_tokens, sync_states
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.rotation import rotate_all
from tests.inside import desk_for, join, rows, sync
from tests.proof.conftest import Say

USERS = ("alice", "bob", "cyd")
QUICK, WHOLE = 300, 10_000  # users whose tokens are sealed anew


@pytest.fixture
def desk(google: Sandbox, db: Database, tmp_path: Path) -> Desk:
    """Three users, connected and synced."""
    made = desk_for(google, db, tmp_path)
    for user in USERS:
        google.world.add_account(f"{user}@example.com").add_people(3)
        join(made, google, user, f"{user}@example.com")
        assert sync(made, user).run.status is RunStatus.SUCCEEDED
    return made


def sealed_of(db: Database, user: str) -> str:
    with read(db) as tx:
        return str(tx.execute(select(oauth_tokens.c.sealed).where(oauth_tokens.c.user_id == user)).scalar_one())


def put(db: Database, user: str, sealed: str) -> None:
    with write(db) as tx:
        tx.execute(update(oauth_tokens).where(oauth_tokens.c.user_id == user).values(sealed=sealed))


def flipped(sealed: str, position: int, bit: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(sealed))
    raw[position] ^= 1 << bit
    return base64.urlsafe_b64encode(raw).decode()


def tampered(sealed: str, *, whole: bool) -> dict[str, str]:
    """What can be done to one sealed token, by what it is."""
    size = len(base64.urlsafe_b64decode(sealed))
    made = {
        f"byte {position}, bit {bit} flipped": flipped(sealed, position, bit)
        for position in range(size)
        for bit in (range(8) if whole else (position % 8,))
    }
    made |= {f"cut after {length} characters": sealed[:length] for length in range(0, len(sealed), 1 if whole else 7)}
    raw = base64.urlsafe_b64decode(sealed)
    made |= {f"version {number}": base64.urlsafe_b64encode(bytes([number]) + raw[1:]).decode() for number in range(128)}
    strange = {
        "no base64": "%" * 100,
        "no ASCII": "ü" * 100,
        "other key": Fernet(Fernet.generate_key()).encrypt(raw).decode(),
    }
    return made | strange | {"a number": "1e999", "clear text": '["alice", "{}"]', "reversed": sealed[::-1]}


def test_nothing_that_is_done_to_a_sealed_token_opens(tmp_path: Path, whole: bool, say: Say) -> None:
    vault.write_key_file(tmp_path / "key")
    keys = vault.load_keys(tmp_path / "key")
    sealed = keys.seal("alice", "canary")
    every = tampered(sealed, whole=whole)
    for what, text in every.items():
        with pytest.raises(UnreadableGrant):
            raise AssertionError(f"{what} opens as {keys.open('alice', text)!r}")
    assert keys.open("alice", sealed) == "canary"
    say(f"ciphertext: {len(every)} changes of a sealed token, 0 opened")


def test_another_users_token_does_not_open(desk: Desk, db: Database) -> None:
    taken = sealed_of(db, "bob")
    put(db, "alice", taken)
    failed = sync(desk, "alice").run
    assert (failed.status, failed.error_type) == (RunStatus.FAILED, "UnreadableGrant")
    others = [sync(desk, user).run.status for user in ("bob", "cyd")]
    assert set(others) == {RunStatus.SUCCEEDED}
    assert dict(rows(db, "SELECT user_id, status FROM connections")) == {
        "alice": "needs_reauth",
        "bob": "connected",
        "cyd": "connected",
    }


def test_what_was_sealed_for_another_purpose_is_no_grant(desk: Desk, db: Database) -> None:
    """Only one column holds sealed text; whatever else stands there, or the same key has sealed, is no grant."""
    clear = [str(cell) for (cell,) in rows(db, "SELECT contacts_sync_token FROM sync_states")]
    sealed = [desk.vault.seal("alice", text) for text in ("", "{}", "null", "[1]", '{"refresh_token": "x"}')]
    twice = desk.vault.seal("alice", sealed_of(db, "alice"))
    for text in [*clear, "alice", *sealed, twice, desk.vault.seal("ALICE", "{}")]:
        with pytest.raises(UnreadableGrant):
            vault.open_grant(desk.vault, "alice", text)
    put(db, "alice", twice)
    assert sync(desk, "alice").run.error_type == "UnreadableGrant"
    assert sync(desk, "bob").run.status is RunStatus.SUCCEEDED


# -- rotation


def many(desk: Desk, google: Sandbox, count: int) -> list[str]:
    """`count` users of one Google account, connected long ago: rows as `connect` would have left them."""
    with read(desk.db) as tx:
        grant = vault.open_grant(desk.vault, "alice", sealed_of(desk.db, "alice"))
        known = tx.execute(select(connections).where(connections.c.user_id == "alice")).mappings().one()
        state = tx.execute(select(sync_states).where(sync_states.c.user_id == "alice")).mappings().one()
        token = tx.execute(select(oauth_tokens).where(oauth_tokens.c.user_id == "alice")).mappings().one()
    users = [f"user{number}" for number in range(count)]
    with write(desk.db) as tx:
        tx.execute(insert(connections), [{**known, "user_id": user} for user in users])
        tx.execute(insert(sync_states), [{**state, "user_id": user} for user in users])
        tx.execute(
            insert(oauth_tokens),
            [{**token, "user_id": user, "sealed": vault.seal_grant(desk.vault, user, grant)} for user in users],
        )
    return users


def test_rotation_while_everybody_is_synced(desk: Desk, google: Sandbox, db: Database, whole: bool, say: Say) -> None:
    users = many(desk, google, WHOLE if whole else QUICK)
    old = desk.key_file.read_text()
    desk.key_file.write_text(f"{vault.generate_key()}\n{old}")
    keys, over = vault.load_keys(desk.key_file), Event()
    with ThreadPoolExecutor(3) as pool:
        syncing = [pool.submit(syncs, desk, users[n::2], over) for n in range(2)]
        rotated = pool.submit(rotate_all, db, keys).result()
        over.set()
        ended = sum((one.result() for one in syncing), Counter[str]())
    assert ended.keys() == {"succeeded"}
    assert rotated.unreadable == ()
    assert all(keys.is_current(sealed) for (sealed,) in rows(db, "SELECT sealed FROM oauth_tokens"))
    desk.key_file.write_text(old.splitlines()[0] + "\n")
    say(
        f"rotation of {len(users)} users, {db.engine.dialect.name}: {ended.total()} syncs meanwhile, 0 failed, all sealed anew"
    )


def syncs(desk: Desk, users: list[str], over: Event) -> Counter[str]:
    """Sync one user after the other, each with a refresh, until the rotation is over; how the runs ended."""
    ended: Counter[str] = Counter()
    for user in users:
        with suppress(StoreUnavailable):  # too busy to queue a run just now: whoever queues tries again
            ended[str(sync(desk, user).run.status)] += 1
        if over.is_set() and ended.total() >= 10:
            return ended
    return ended
