"""Who looks and who delivers, where several would: one of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from contacts_sync.store import alerts, deliveries
from contacts_sync.store.deliveries import Level, Message
from contacts_sync.store.engine import Database, Transaction, read, write
from tests.store.given import LEASE, MINUTE, NOW

MANY = 6
HELLO = Message(Level.INFO, "a title", "text")


def by_many(db: Database, do: Callable[[Transaction], bool]) -> int:
    """How many of those who do it at the same moment succeed."""
    gate = Barrier(MANY)

    def one() -> bool:
        gate.wait(20)
        with write(db) as tx:
            return do(tx)

    with ThreadPoolExecutor(MANY) as pool:
        return sum(asked.result(60) for asked in [pool.submit(one) for _ in range(MANY)])


def post(db: Database, *destinations: str, most_pending: int = 9) -> None:
    with write(db) as tx:
        deliveries.post(tx, HELLO, destinations, NOW, most_pending=most_pending)


def statuses(db: Database) -> list[str]:
    with read(db) as tx:
        return [one.status for one in deliveries.latest(tx, 0)]


def test_of_many_daemons_one_looks(db: Database) -> None:
    assert by_many(db, lambda tx: alerts.begin_round(tx, NOW, MINUTE)) == 1
    assert by_many(db, lambda tx: alerts.begin_round(tx, NOW + MINUTE, MINUTE)) == 1
    assert by_many(db, lambda tx: alerts.begin_round(tx, NOW + 1.5 * MINUTE, MINUTE)) == 0


def test_a_round_from_the_future_was_a_wrong_clocks(db: Database) -> None:
    for at in (NOW + timedelta(days=400), NOW):
        with write(db) as tx:
            assert alerts.begin_round(tx, at, MINUTE)


def test_of_many_daemons_one_writes_a_digest(db: Database) -> None:
    with write(db) as tx:
        alerts.begin_round(tx, NOW, MINUTE)
    assert by_many(db, lambda tx: alerts.set_digest_at(tx, None, NOW)) == 1
    assert by_many(db, lambda tx: alerts.set_digest_at(tx, NOW, NOW + MINUTE)) == 1


def test_of_many_daemons_one_delivers(db: Database) -> None:
    post(db, "json://x")
    assert by_many(db, lambda tx: deliveries.claim(tx, 1, NOW, LEASE) is not None) == 1


def test_a_claim_ends_with_its_lease_and_then_the_first_has_no_say(db: Database) -> None:
    post(db, "json://x")
    with write(db) as tx:
        first = deliveries.claim(tx, 1, NOW, LEASE)
        assert deliveries.due(tx, ["json://x"], NOW) == []
        second = deliveries.claim(tx, 1, NOW + LEASE, LEASE)
        assert first
        assert second
        deliveries.give_up(tx, first, "late", NOW)
        deliveries.arrived(tx, second, NOW)
    assert statuses(db) == ["delivered"]


def test_a_destination_that_is_too_far_behind_loses_its_oldest_messages(db: Database) -> None:
    for _ in range(4):
        post(db, "json://x", most_pending=2)
    post(db, "json://y")
    assert statuses(db) == ["pending", "pending", "pending", "given_up", "given_up"]


def test_old_messages_are_forgotten_but_for_those_on_their_way(db: Database) -> None:
    post(db, "json://x")
    post(db, "json://y")
    with write(db) as tx:
        delivery = deliveries.claim(tx, 1, NOW, LEASE)
        assert delivery
        deliveries.arrived(tx, delivery, NOW)
        deliveries.prune(tx, NOW + MINUTE)
    assert statuses(db) == ["pending"]
