"""Looks at a real store, tells a real webhook: one message for one cause, through restarts and beside others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from contacts_sync.alerts.watchman import Watchman
from contacts_sync.config import Config
from contacts_sync.model import Pause
from contacts_sync.store import alerts, connections, deliveries, nodes
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.alerts.given import HOUR, MINUTE, configured, fails, succeeds
from tests.alerts.webhooks import Webhook
from tests.store.given import NOW, connected
from tests.web.crowd import crowd

SECOND = timedelta(seconds=1)


class Daemon:
    """As much of one as tells; its clock is set by the test."""

    def __init__(self, db: Database, config: Config, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.now = clock()
        self.attempts: list[bool] = []
        self.config = config
        self._watchman = Watchman(db, lambda: self.now, self.attempts.append, self._monotonic)

    def _monotonic(self) -> float:
        return self.now.timestamp()

    def after(self, wait: timedelta) -> None:
        self.now += wait
        self._watchman.turn(self.config)


@pytest.fixture
def config(store_url: str, hook: Webhook) -> Config:
    return configured(store_url, ALERTS__URLS=hook.url, HEALTH__GRACE="12h")


@pytest.fixture
def daemon(db: Database, config: Config) -> Daemon:
    return Daemon(db, config)


def fail_times(db: Database, times: int, *users: str, **more: str) -> None:
    connected(db, *users)
    for number in range(times):
        for user in users:
            fails(db, user, NOW + number * SECOND, **more)


def test_a_user_who_fails_three_times_is_one_message(db: Database, daemon: Daemon, hook: Webhook) -> None:
    fail_times(db, 2, "alice")
    daemon.after(MINUTE)
    assert hook.titles == []
    fails(db, "alice", NOW + MINUTE)
    daemon.after(MINUTE)
    daemon.after(MINUTE)
    assert hook.titles == ["contacts-sync: alice: Google or the network failed"]


def test_five_users_with_one_cause_are_one_message_with_their_number(
    db: Database, daemon: Daemon, hook: Webhook
) -> None:
    fail_times(db, 3, *"abcde", message="Google is in trouble (HTTP 500)")
    daemon.after(MINUTE)
    (got,) = hook.got
    assert got["title"] == "contacts-sync: 5 users: Google or the network failed"
    assert "Users: 5 of 5, for example a\n" in got["message"]
    assert "Next: contacts-sync run-now --failed\n" in got["message"]


def test_a_restart_repeats_nothing(db: Database, config: Config, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    Daemon(db, config).after(MINUTE)
    Daemon(db, config).after(2 * MINUTE)
    assert len(hook.got) == 1


def test_a_recovery_is_one_message(db: Database, daemon: Daemon, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    daemon.after(MINUTE)
    succeeds(db, "alice", NOW + MINUTE)
    for _ in range(30):
        daemon.after(MINUTE)
    assert hook.titles[1:] == ["contacts-sync: over: alice: Google or the network failed"]
    assert hook.got[1]["type"] == "success"


def test_a_dead_grant_is_told_at_once(db: Database, daemon: Daemon, hook: Webhook) -> None:
    connected(db, "alice")
    with write(db) as tx:
        connections.needs_reauth(tx, "alice", "the grant was revoked")
    daemon.after(MINUTE)
    assert hook.titles == ["contacts-sync: alice: permission gone: connect again"]
    assert "Next: contacts-sync connect alice" in hook.got[0]["message"]
    assert hook.got[0]["type"] == "warning"


def test_a_pause_of_everybody_is_one_message_with_what_heals_it(db: Database, daemon: Daemon, hook: Webhook) -> None:
    connected(db, *"abcdef")
    pause = Pause("OperatorTrouble", "the People API is not enabled", "enable it (https://x.example/e)", NOW, NOW)
    with write(db) as tx:
        nodes.set_pause(tx, pause)
    daemon.after(MINUTE)
    (got,) = hook.got
    assert got["title"] == "contacts-sync: all runs are paused"
    assert "Error: the People API is not enabled\n" in got["message"]
    assert "Next: enable it (https://x.example/e)\n" in got["message"]


def test_who_is_late_is_told_but_not_right_after_a_start(db: Database, daemon: Daemon, hook: Webhook) -> None:
    connected(db, "alice", now=NOW - timedelta(days=5))
    daemon.after(HOUR)
    assert hook.titles == []
    daemon.after(11 * HOUR)
    assert hook.titles == ["contacts-sync: alice: late: no success since the last slot"]


def test_many_causes_at_once_share_a_message(db: Database, daemon: Daemon, hook: Webhook) -> None:
    for number, error in enumerate(("PassingTrouble", "RequestRejected", "DeadlineExceeded", "KeyProblem")):
        fail_times(db, 3, f"u{number}", error=error)
    daemon.after(MINUTE)
    assert hook.titles == ["contacts-sync: news of 4 causes"]


def test_a_thousand_users_who_fail_alike_are_one_message_a_cause(db: Database, config: Config, hook: Webhook) -> None:
    crowd(db, 1_000, NOW, failing=999)
    daemon = Daemon(db, config)
    for _ in range(60):
        daemon.after(SECOND)
    assert sorted(hook.titles) == [
        "contacts-sync: 333 users: Google or the network failed",
        "contacts-sync: 333 users: Google refuses a request for good",
        "contacts-sync: 333 users: mass deletion: waits for your approval",
    ]


def test_little_room_on_the_disk_is_told(tmp_path: Path, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    db = open_database(url, create=True)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    Daemon(db, configured(url, ALERTS__URLS=hook.url)).after(MINUTE)
    close(db)
    assert hook.titles == ["contacts-sync: the disk is nearly full"]


def test_a_store_that_is_gone_is_told_once_and_so_is_its_return(tmp_path: Path, hook: Webhook) -> None:
    path = tmp_path / "store.db"
    db = open_database(f"sqlite:///{path}", create=True)
    daemon = Daemon(db, configured(f"sqlite:///{path}", ALERTS__URLS=hook.url))
    daemon.after(MINUTE)
    path.rename(tmp_path / "elsewhere")
    for _ in range(10):
        daemon.after(MINUTE)
    assert hook.titles == ["contacts-sync: the store is out of reach"]
    assert "moved, deleted or replaced" in hook.got[0]["message"]
    (tmp_path / "elsewhere").rename(path)
    daemon.after(MINUTE)
    daemon.after(MINUTE)
    close(db)
    assert hook.titles[1:] == ["contacts-sync: over: the store is out of reach"]


def test_two_daemons_on_one_store_tell_once(db: Database, store_url: str, config: Config, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    other = open_database(store_url)
    for daemon in [Daemon(db, config), Daemon(other, config)] * 2:
        daemon.after(MINUTE)
    close(other)
    assert len(hook.got) == 1


def test_daemons_that_look_at_the_same_moment_tell_once(db: Database, config: Config, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    daemons = [Daemon(db, config) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda daemon: daemon.after(MINUTE), daemons))
    assert len(hook.got) == 1


def test_a_receiver_that_is_down_gets_it_later_and_the_waits_grow(db: Database, daemon: Daemon, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    hook.answers(503)
    for _ in range(60):
        daemon.after(5 * SECOND)
    assert 4 <= hook.requests <= 6
    with read(db) as tx:
        waiting = deliveries.backlog(tx)
    assert (waiting.pending, waiting.failing, waiting.error) == (1, 1, "error=503")
    hook.answers(200)
    daemon.after(HOUR)
    assert len(hook.got) == 1
    assert daemon.attempts.count(True) == 1


def test_messages_arrive_in_order_however_long_the_receiver_was_down(
    db: Database, daemon: Daemon, hook: Webhook
) -> None:
    fail_times(db, 3, "alice")
    hook.answers(500)
    daemon.after(MINUTE)
    succeeds(db, "alice", NOW + MINUTE)
    daemon.after(MINUTE)
    daemon.after(20 * MINUTE)
    hook.answers(200)
    daemon.after(HOUR)
    assert [title.startswith("contacts-sync: over") for title in hook.titles] == [False, True]


def test_after_a_day_nobody_tries_any_more(db: Database, daemon: Daemon, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    hook.answers(500)
    daemon.after(MINUTE)
    daemon.after(timedelta(days=1, hours=1))
    with read(db) as tx:
        ended = [one.status for one in deliveries.latest(tx, 0)]
    assert "given_up" in ended


def test_a_destination_that_is_no_longer_configured_waits_for_nobody(
    db: Database, store_url: str, config: Config, hook: Webhook
) -> None:
    fail_times(db, 3, "alice")
    hook.answers(500)
    daemon = Daemon(db, config)
    daemon.after(MINUTE)
    daemon.config = configured(store_url, ALERTS__URLS="json://127.0.0.1:9/other")
    daemon.after(MINUTE)
    with read(db) as tx:
        assert deliveries.latest(tx, 1)[0].error == "the destination is no longer configured"


def test_without_destinations_nothing_is_looked_at_or_written(db: Database, store_url: str, hook: Webhook) -> None:
    fail_times(db, 3, "alice")
    Daemon(db, configured(store_url)).after(MINUTE)
    with read(db) as tx:
        assert (alerts.every(tx), deliveries.latest(tx, 0)) == ([], [])
