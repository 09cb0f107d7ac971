from __future__ import annotations

from contacts_sync.google.tally import Tally


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_requests_are_counted_by_answer_and_those_of_the_last_minute_apart() -> None:
    clock = Clock()
    tally = Tally(clock)
    for status in (200, 200, 0):
        tally.asked(status)
    clock.now += 59
    tally.asked(429)
    assert tally.last_minute == 4
    clock.now += 2
    assert tally.last_minute == 1
    assert dict(tally.answers) == {200: 2, 0: 1, 429: 1}


def test_waits_and_refreshes_add_up() -> None:
    tally = Tally()
    tally.waited(1.5)
    tally.waited(0.5)
    tally.refreshed(well=True)
    tally.refreshed(well=False)
    assert (tally.waits, tally.waited_seconds) == (2, 2.0)
    assert dict(tally.refreshes) == {True: 1, False: 1}
