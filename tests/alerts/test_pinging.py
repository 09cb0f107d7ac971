"""The dead man's switch from inside: real store, real HTTP, and a clock that the test sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from contacts_sync import config
from contacts_sync.alerts.pinging import Pinger, destination
from contacts_sync.errors import ConfigurationError, PassingTrouble
from contacts_sync.model import Ping
from contacts_sync.store import pings, runs
from contacts_sync.store.engine import Database, close, open_database, read, write
from tests.alerts.receiver import Receiver
from tests.store.given import MINUTE, NOW, claimed, connected, queued
from tests.store.test_health import succeeded

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Day:
    """A store, a pinger and a clock. `NOW` is the slot of a day."""

    def __init__(self, db: Database, receiver: Receiver, **settings: str) -> None:
        environ = {"PING__URL": receiver.url, "ALERTS__ALLOW_HOSTS": "localhost", **settings}
        loaded = config.load(None, environ={f"CONTACTS_SYNC_{name}": value for name, value in environ.items()})
        self.db = db
        self.now = NOW
        self.tally: Counter[str] = Counter()
        self.pinger = Pinger(lambda: loaded, db, lambda: self.now, self.tally, self.monotonic)

    def monotonic(self) -> float:
        return self.now.timestamp()

    def look(self, at: datetime) -> Ping:
        self.now = at
        self.pinger.look()
        with read(self.db) as tx:
            found = pings.latest(tx)
        assert found is not None
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    db = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    connected(db, "alice", "bob", now=NOW - DAY)
    succeeded(db, "alice", "bob", at=NOW - DAY)
    yield db
    close(db)


def failed(db: Database, user: str, at: datetime) -> None:
    queued(db, user, at)
    (run,) = claimed(db, now=at, limit=1)
    with write(db) as tx:
        runs.fail(tx, run, "w1", at, error_type="RequestRejected", message=f"{user}@example.com: 400", traceback=None)


def test_a_good_day_is_a_start_and_a_success(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver)
    day.look(NOW)
    succeeded(store, "alice", at=NOW + MINUTE)
    day.look(NOW + 2 * MINUTE)
    assert receiver.paths == ["/start"]
    succeeded(store, "bob", at=NOW + 2 * MINUTE)
    for minute in range(4, 9):
        day.look(NOW + minute * MINUTE)
    assert receiver.paths == ["/start", ""]
    assert receiver.received[1].body.startswith("contacts-sync: 2 of 2 users fresh\n")
    day.look(NOW + DAY)
    assert receiver.paths == ["/start", "", "/start"]
    assert day.tally == {"delivered": 3}


def test_a_failed_run_is_told_with_its_cause_and_without_its_user(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver)
    day.look(NOW)
    failed(store, "alice", NOW + MINUTE)
    succeeded(store, "bob", at=NOW + MINUTE)
    day.look(NOW + 3 * MINUTE)
    assert receiver.paths == ["/start", "/fail"]
    assert "1 failing" in receiver.received[1].body
    assert "1 user: Google refuses a request for good" in receiver.received[1].body
    assert "alice" not in "".join(one.body for one in receiver.received)


def test_a_stalled_queue_is_told_when_the_grace_is_over(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver, HEALTH__GRACE="30m", SCHEDULE__SPREAD="10m")
    day.look(NOW)
    queued(store, "alice", NOW)
    day.look(NOW + 39 * MINUTE)
    assert receiver.paths == ["/start"]
    day.look(NOW + 41 * MINUTE)
    assert receiver.paths == ["/start", "/fail"]
    assert "2 late" in receiver.received[1].body


def test_a_daemon_that_comes_back_late_tells_how_it_made_up_for_it(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver)
    day.look(NOW + 9 * HOUR)
    succeeded(store, "alice", "bob", at=NOW + 9 * HOUR)
    day.look(NOW + 9 * HOUR + 2 * MINUTE)
    assert receiver.paths == ["/start", ""]


def test_what_is_not_taken_is_told_again_with_growing_gaps(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver)
    receiver.answers += [500, 404, 301]
    assert day.look(NOW).trouble == "localhost answered 500"
    assert day.look(NOW + timedelta(seconds=1)).attempts == 1
    assert day.look(NOW + timedelta(seconds=2)).trouble == "localhost answered 404"
    assert day.look(NOW + timedelta(seconds=6)).trouble == "localhost answered 301"
    told = day.look(NOW + timedelta(seconds=14))
    assert (told.trouble, told.attempts) == (None, 4)
    assert receiver.paths == ["/start"] * 4
    assert day.tally == {"failed": 3, "delivered": 1}


def test_nobody_there_is_trouble_and_no_more(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver, PING__URL="http://127.0.0.1:9/s3cr3t-uuid", ALERTS__ALLOW_HOSTS="127.0.0.1")
    assert day.look(NOW).trouble == "127.0.0.1 doesn't answer: NewConnectionError"


def test_a_host_inside_that_is_not_allowed_is_never_asked(store: Database, receiver: Receiver) -> None:
    day = Day(store, receiver, PING__URL=f"https://localhost:{receiver.port}/s3cr3t-uuid", ALERTS__ALLOW_HOSTS="")
    assert "isn't on the public net" in str(day.look(NOW).trouble)
    assert not receiver.received


def test_a_query_stays_behind_the_path(store: Database, receiver: Receiver) -> None:
    Day(store, receiver, PING__URL=f"{receiver.url}/?create=1").look(NOW)
    assert receiver.paths == ["/start?create=1"]


def test_the_url_can_come_from_a_file_that_is_read_each_time(
    store: Database, receiver: Receiver, tmp_path: Path
) -> None:
    secret = tmp_path / "ping"
    secret.touch(mode=0o600)
    secret.write_text("http://localhost:9/\n")
    day = Day(store, receiver, PING__URL="", PING__URL_FILE=str(secret))
    assert day.look(NOW).trouble
    secret.write_text(f"{receiver.url}\n")
    assert not day.look(NOW + MINUTE).trouble
    secret.chmod(0o644)
    assert day.look(NOW + DAY).trouble == f"ping.url_file {secret} is open to everybody"


def test_systemd_may_hold_the_url(tmp_path: Path, receiver: Receiver) -> None:
    credential = tmp_path / "contacts-sync.ping"
    credential.touch(mode=0o400)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert config.load(None, environ=environ).ping.url_file == credential
    with_url = config.load(None, environ={**environ, "CONTACTS_SYNC_PING__URL": receiver.url})
    assert with_url.ping.url_file is None
    assert "s3cr3t" not in repr(with_url)


def test_two_urls_are_one_too_many(receiver: Receiver) -> None:
    environ = {"CONTACTS_SYNC_PING__URL": receiver.url, "CONTACTS_SYNC_PING__URL_FILE": "/there"}
    with pytest.raises(ConfigurationError, match="expected one of them") as refused:
        config.load(None, environ=environ)
    assert "s3cr3t" not in str(refused.value)


def test_a_name_that_nobody_knows_is_passing_trouble() -> None:
    loaded = config.load(None, environ={"CONTACTS_SYNC_PING__URL": "https://nobody.invalid/s3cr3t"})
    with pytest.raises(PassingTrouble, match="can't be resolved") as trouble:
        destination(loaded.ping, ())
    assert "s3cr3t" not in str(trouble.value)
