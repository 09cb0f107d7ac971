"""A thread beside the others: told to stop, waited for, and never in the way."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from contacts_sync.beside import beside

SOON = timedelta(seconds=10)


def test_work_goes_on_until_the_block_ends() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        begun.set()
        stop.wait(SOON.total_seconds())
        ended.set()

    with beside("work", work, stop_within=SOON):
        assert begun.wait(SOON.total_seconds())
        assert not ended.is_set()
    assert ended.is_set()


def test_work_that_hangs_is_left_behind() -> None:
    over = threading.Event()
    with beside("work", lambda _stop: over.wait(SOON.total_seconds()), stop_within=timedelta(milliseconds=1)):
        pass
    assert "work" in {thread.name for thread in threading.enumerate()}
    over.set()


def test_it_is_told_to_stop_by_an_error_too() -> None:
    told: list[bool] = []
    with pytest.raises(KeyError), beside("work", lambda stop: told.append(stop.wait(10)), stop_within=SOON):
        raise KeyError
    assert told == [True]
