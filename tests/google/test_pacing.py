"""Requests a minute, per user and in all."""

from __future__ import annotations

import threading

import pytest

from contacts_sync.errors import Interrupted
from contacts_sync.google.pacing import Pacer


class Clock:
    """Monotonic seconds that pass while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 3))
        self.now += seconds
        return False


def pacer(clock: Clock, *, per_user: int = 0, in_all: int = 0) -> Pacer:
    stop = threading.Event()
    stop.wait = clock.wait  # type: ignore[method-assign, assignment]  # waiting passes the clock's time
    return Pacer(per_user=per_user, in_all=in_all, stop=stop, monotonic=lambda: clock.now)


def test_a_user_may_use_the_whole_minute_at_once_and_then_waits() -> None:
    clock = Clock()
    paced = pacer(clock, per_user=3)
    for _ in range(4):
        paced.wait("alice")
    assert clock.waits == [60.0]


def test_users_dont_wait_for_each_other() -> None:
    clock = Clock()
    paced = pacer(clock, per_user=1)
    paced.wait("alice")
    paced.wait("bob")
    assert clock.waits == []


def test_all_together_may_be_limited_too() -> None:
    clock = Clock()
    paced = pacer(clock, in_all=2)
    for user in ("a", "b", "c"):
        paced.wait(user)
    assert clock.waits == [60.0]


def test_a_stopping_process_doesnt_wait() -> None:
    stop = threading.Event()
    stop.set()
    paced = Pacer(per_user=1, in_all=0, stop=stop)
    paced.wait("alice")
    with pytest.raises(Interrupted):
        paced.wait("alice")
