"""While the store is out of reach: told once, by memory, and once when it is back."""

from __future__ import annotations

from datetime import timedelta

from contacts_sync.alerts.sending import Recipient, recipient
from contacts_sync.alerts.stranded import PATIENCE, Stranded
from contacts_sync.errors import StoreUnavailable
from contacts_sync.store import deliveries
from contacts_sync.store.engine import Database, read
from tests.alerts.webhooks import Webhook
from tests.store.given import NOW

TROUBLE = StoreUnavailable("the disk is full", hint="free some space; the store is unharmed")


class Castaway:
    """Its monotonic clock is set by the test."""

    def __init__(self, hook: Webhook) -> None:
        found = recipient(hook.url, "json://hook", "here", ("127.0.0.1",))
        assert found
        self.recipients: dict[str, Recipient] = {"json://hook": found}
        self.passed = timedelta(0)
        self.stranded = Stranded(self._monotonic, lambda _well: None)

    def _monotonic(self) -> float:
        return self.passed.total_seconds()

    def away_for(self, wait: timedelta) -> None:
        self.passed += wait
        self.stranded.is_away(TROUBLE, self.recipients, NOW + self.passed)

    def back(self, db: Database) -> list[str]:
        self.stranded.is_back(db, NOW + self.passed)
        with read(db) as tx:
            return [f"{one.status}: {one.title}" for one in deliveries.latest(tx, 0)]


def test_a_short_absence_is_told_to_nobody(db: Database, hook: Webhook) -> None:
    castaway = Castaway(hook)
    castaway.away_for(timedelta(0))
    castaway.away_for(PATIENCE / 2)
    assert (castaway.back(db), hook.got) == ([], [])


def test_a_long_one_is_told_once_and_so_is_its_end(db: Database, hook: Webhook) -> None:
    castaway = Castaway(hook)
    for _ in range(60):
        castaway.away_for(PATIENCE)
    assert hook.titles == ["contacts-sync: the store is out of reach"]
    assert "Cause: the disk is full\n" in hook.got[0]["message"]
    assert castaway.back(db) == [
        "pending: contacts-sync: over: the store is out of reach",
        "delivered: contacts-sync: the store is out of reach",
    ]
    assert len(castaway.back(db)) == 2


def test_a_receiver_that_is_down_is_told_later(hook: Webhook) -> None:
    castaway = Castaway(hook)
    hook.answers(500)
    for _ in range(3):
        castaway.away_for(PATIENCE)
    hook.answers(200)
    for _ in range(3):
        castaway.away_for(PATIENCE)
    assert len(hook.got) == 1


def test_the_next_absence_is_told_again(db: Database, hook: Webhook) -> None:
    castaway = Castaway(hook)
    for _ in range(2):
        castaway.away_for(PATIENCE)
        castaway.away_for(PATIENCE)
        castaway.back(db)
    assert len(hook.got) == 2
