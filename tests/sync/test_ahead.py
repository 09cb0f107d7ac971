"""The next page is read while one is being written, by one run at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contacts_sync.errors import PassingTrouble, StoreUnavailable
from contacts_sync.model import Page, RunStatus
from contacts_sync.sandbox import Account, Sandbox, faults
from contacts_sync.store.transactions import Transaction
from contacts_sync.sync import run
from contacts_sync.sync.ahead import ReadAhead, Reading
from contacts_sync.sync.desk import Desk, fenced
from tests.inside import copy_of, rows, sync, world_of
from tests.sync.conftest import EMAIL

LIMIT_SECONDS = 10
READING = Reading(Page((), None, "token"))


def test_a_page_is_read_in_another_thread() -> None:
    reader: list[str] = []

    def fetch() -> Reading:
        reader.append(threading.current_thread().name)
        return READING

    coming = ReadAhead().begin(fetch)
    assert coming is not None
    assert coming.result(LIMIT_SECONDS) is READING
    assert reader == ["ahead"]


def test_who_gets_no_thread_keeps_nobody_from_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = ReadAhead()
    with monkeypatch.context() as out_of_threads:
        out_of_threads.setattr(threading.Thread, "start", no_more_threads)
        assert ahead.begin(lambda: READING) is None
    assert ahead.begin(lambda: READING) is not None


def no_more_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_what_goes_wrong_comes_to_the_run_whose_page_it_is() -> None:
    def fetch() -> Reading:
        raise PassingTrouble("Google hiccups")

    coming = ReadAhead().begin(fetch)
    assert coming is not None
    with pytest.raises(PassingTrouble, match="hiccups"):
        coming.result(LIMIT_SECONDS)


def test_one_run_at_a_time_reads_ahead() -> None:
    ahead, go_on = ReadAhead(), threading.Event()

    def slowly() -> Reading:
        go_on.wait(LIMIT_SECONDS)
        return READING

    first = ahead.begin(slowly)
    assert first is not None
    assert ahead.begin(slowly) is None
    go_on.set()
    first.result(LIMIT_SECONDS)
    again = ahead.begin(slowly)
    assert again is not None
    again.result(LIMIT_SECONDS)


def test_a_page_that_fails_ahead_is_asked_for_again_and_what_was_written_meanwhile_stays(
    desk: Desk, google: Sandbox, account: Account
) -> None:
    account.add_people(25)
    google.faults.add("people", faults.unavailable(), page=2)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 2)
    assert outcome.run.counters.contacts_imported == 25
    assert google.count("people") == 4
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)


def test_who_is_on_two_pages_of_a_first_listing_is_stored_once(desk: Desk, google: Sandbox, account: Account) -> None:
    names = account.add_people(25)
    first = account.people()[names[0]]
    google.faults.add("people", faults.edited(lambda page: page["connections"].insert(0, first)), page=3)
    assert sync(desk, "alice").run.counters.contacts_imported == 25
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)


def test_a_first_page_whose_commit_was_not_heard_of_is_not_stored_twice(
    desk: Desk, google: Sandbox, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.add_people(25)
    deaf = iter([True])

    @contextmanager
    def deafly_fenced(*of_run: Any) -> Iterator[Transaction]:
        with fenced(*of_run) as tx:
            yield tx
        if has_contacts(desk) and next(deaf, False):
            raise StoreUnavailable("the connection was lost")

    monkeypatch.setattr(run, "fenced", deafly_fenced)
    outcome = sync(desk, "alice")
    assert (outcome.run.status, outcome.run.attempts) == (RunStatus.SUCCEEDED, 2)
    assert outcome.run.counters.contacts_imported == 25
    assert copy_of(desk.db, "alice") == world_of(google, EMAIL)


def has_contacts(desk: Desk) -> bool:
    return bool(rows(desk.db, "SELECT id FROM contacts LIMIT 1"))
