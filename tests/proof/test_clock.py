"""The wall clock is set, or the host sleeps, while the real daemon runs: every slot still has its one run."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest

from contacts_sync import vault
from contacts_sync.model import Account as Identity
from contacts_sync.model import Grant, OwnSchedule
from contacts_sync.sandbox import Sandbox, faults
from contacts_sync.sandbox.faults import Stage
from contacts_sync.store import connections
from contacts_sync.store.engine import write
from tests.inside import rows
from tests.launcher import Launched, Launcher
from tests.operating import wait_until
from tests.postgres import Server
from tests.proof.conftest import Say
from tests.proof.stage import EMAIL, Scene
from tests.proof.test_fencing import is_stopped
from tests.proof.wall_clock import WallClock

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=10, microsecond=0) + timedelta(days=1)
CRONS = {"nightly": "0 2 * * *", "hourly": "0 * * * *", "often": "*/10 * * * *"}
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def scene(google: Sandbox, launcher: Launcher, tmp_path: Path, server: Server | None) -> Scene:
    """Nobody is connected yet; it is noon."""
    google.world.add_account(EMAIL).add_people(1)
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    url = server.new_database() if server else f"sqlite:///{home}/store.db"
    clock = WallClock(tmp_path / "clock")
    clock.set_to(NOON)
    settings = {"DAEMON__POLL_INTERVAL": "100ms"}
    scene = Scene(google, launcher, home, url, 1, settings, clock)
    scene.run("init")
    return scene


def clock_of(scene: Scene) -> WallClock:
    assert scene.clock
    return scene.clock


def link(scene: Scene, crons: dict[str, str]) -> None:
    """Connect users now, all to one account: a herd costs no thousand consents."""
    now, grants = clock_of(scene).now, scene.google.world.grants
    scopes = ("https://www.googleapis.com/auth/contacts.readonly",)
    access, refresh = grants.issue_access(EMAIL, scopes), grants.issue_refresh(EMAIL, scopes)
    grant = Grant(access, refresh, now + 300 * DAY, scopes)  # by any of our clocks; Google has its own
    keys = vault.load_keys(scene.home / "key")
    account = Identity(scene.google.world.account(EMAIL).sub, EMAIL)
    with scene.database(copied=False) as db, write(db) as tx:
        for user, cron in crons.items():
            sealed = vault.seal_grant(keys, user, grant)
            schedule = OwnSchedule(cron, "UTC")
            connections.connect(tx, user_id=user, account=account, sealed=sealed, schedule=schedule, now=now)


@contextmanager
def daemon(scene: Scene) -> Iterator[Launched]:
    """A daemon at its work; ended by SIGTERM, with 0."""
    before = log_of(scene).count("daemon_started")
    process = scene.start("daemon")
    try:
        wait_until(lambda: log_of(scene).count("daemon_started") > before)
        yield process
        process.kill(signal.SIGTERM)
        ended = process.wait()
        assert ended.code == 0, ended
    finally:
        process.kill()
        process.ended.wait(20)
        process.stdout.close()
    assert "Traceback" not in log_of(scene)


def log_of(scene: Scene) -> str:
    path = scene.home / "stderr.txt"
    return path.read_text() if path.exists() else ""


def step(scene: Scene, by: timedelta) -> float:
    """Set the clock, and wait until the daemon has noticed; the answer is after how many seconds."""
    before, since = log_of(scene).count("clock_was_set"), time.monotonic()
    clock_of(scene).step(by)
    wait_until(lambda: log_of(scene).count("clock_was_set") > before)
    return time.monotonic() - since


def runs_of(scene: Scene) -> list[tuple[str, str, str, str]]:
    """User, slot's local time, trigger and status of every run, in the order of their ids."""
    with scene.database(copied=False) as db:
        found = rows(db, "SELECT user_id, slot, trigger, status FROM sync_runs ORDER BY id")
    return [(user, str(slot).partition("[")[0], trigger, status) for user, slot, trigger, status in found]


def all_ended(scene: Scene, count: int) -> bool:
    found = runs_of(scene)
    return len(found) >= count and all(status == "succeeded" for *_, status in found)


def slots(scene: Scene) -> set[tuple[str, str]]:
    """Users and slots that have succeeded; each has just one run."""
    found = Counter((user, slot) for user, slot, _, status in runs_of(scene) if status == "succeeded")
    assert set(found.values()) <= {1}, found
    return set(found)


def at(day: datetime, hour: int, minute: int = 0) -> str:
    return f"{day:%Y-%m-%d}T{hour:02}:{minute:02}"


def test_a_host_that_slept_through_many_slots_makes_up_for_them_with_one_run(scene: Scene, say: Say) -> None:
    """P16: +8 h and more, over a night."""
    link(scene, CRONS)
    with daemon(scene):
        noticed = step(scene, 8 * HOUR)
        wait_until(lambda: all_ended(scene, 2))
        noticed = max(noticed, step(scene, 8 * HOUR))
        wait_until(lambda: all_ended(scene, 5))
    tomorrow = NOON + DAY
    assert slots(scene) == {
        *(("hourly", at(NOON, 20)), ("often", at(NOON, 20))),
        *(("hourly", at(tomorrow, 4)), ("often", at(tomorrow, 4)), ("nightly", at(tomorrow, 2))),
    }
    say(f"clock +8 h twice, {store_of(scene)}: one run each; noticed after {noticed:.2f} s")


def store_of(scene: Scene) -> str:
    return "SQLite" if scene.url.startswith("sqlite") else "PostgreSQL"


@pytest.mark.parametrize("back", [10 * MINUTE, 8 * HOUR, DAY], ids=["10 min", "8 h", "1 day"])
def test_a_clock_set_back_doubles_no_slot_and_delays_none(scene: Scene, back: timedelta) -> None:
    """P17."""
    link(scene, {"hourly": CRONS["hourly"], "often": CRONS["often"]})
    with daemon(scene):
        step(scene, HOUR)
        wait_until(lambda: all_ended(scene, 2))
        step(scene, -back)
        step(scene, 10 * MINUTE)
        earlier = ("often", slot_before(clock_of(scene).now))
        wait_until(lambda: earlier in slots(scene))
        if back > 10 * MINUTE:  # until the slots that are done come again
            step(scene, back - 10 * MINUTE)
        step(scene, HOUR)
        wait_until(lambda: {("hourly", at(NOON, 14)), ("often", at(NOON, 14))} <= slots(scene))
    done = {(user, at(NOON, hour)) for user in ("hourly", "often") for hour in (13, 14)}
    assert slots(scene) == done | {earlier}


def slot_before(now: datetime) -> str:
    """Of every ten minutes."""
    return at(now, now.hour, now.minute // 10 * 10)


@pytest.mark.parametrize("wrong", [3650 * DAY, -3650 * DAY], ids=["ahead", "behind"])
def test_a_clock_that_was_years_off_when_the_host_booted_and_then_is_set_right(scene: Scene, wrong: timedelta) -> None:
    """P18: the run under way goes on, nobody's grant expires, the next slots come, and what is missed is made up for."""
    link(scene, {"nightly": CRONS["nightly"]})
    gate = scene.google.faults.hold("people")
    clock_of(scene).step(wrong)
    with daemon(scene):
        if wrong > timedelta(0):
            assert gate.arrived.wait(60)
        step(scene, -wrong)
        assert gate.arrived.wait(60)
        gate.release()
        wait_until(lambda: all_ended(scene, 1))
        step(scene, 14 * HOUR)
        wait_until(lambda: ("nightly", at(NOON + DAY, 2)) in slots(scene))
    clock_of(scene).step(DAY)
    with daemon(scene):
        wait_until(lambda: ("nightly", at(NOON + 2 * DAY, 2)) in slots(scene))
    assert [trigger for _, _, trigger, _ in runs_of(scene)][1:] == ["schedule", "catch_up"]
    with scene.database(copied=False) as db:
        assert set(rows(db, "SELECT starts, take_backs, attempts FROM sync_runs")) == {(1, 0, 1)}
        assert rows(db, "SELECT status FROM connections") == [("connected",)]


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_thousand_users_due_in_the_same_minute_all_run_the_oldest_first(scene: Scene, say: Say) -> None:
    """P25."""
    herd = {f"user{number:04}": "0 13 * * *" for number in range(999)}
    link(scene, {**herd, "zoe": "59 12 * * *"})
    with daemon(scene):
        since = time.monotonic()
        step(scene, HOUR)
        with scene.database(copied=False) as db:
            succeeded = "SELECT count(*) FROM sync_runs WHERE status = 'succeeded'"
            wait_until(lambda: rows(db, succeeded) == [(1000,)], seconds=240)
        seconds = time.monotonic() - since
    assert len(slots(scene)) == len(herd) + 1
    with scene.database(copied=False) as db:
        begun = rows(db, "SELECT user_id, started_at FROM sync_runs ORDER BY not_before, id")
        assert begun[0][0] == "zoe"
        assert [at for _, at in begun] == sorted(at for _, at in begun)
    say(f"1,000 users due in one minute: all run, none twice, the oldest first, in {seconds:.0f} s")


def test_after_three_days_down_everybody_has_one_run_and_the_herd_is_spread(scene: Scene) -> None:
    """P26."""
    link(scene, {f"user{number}": CRONS["hourly"] for number in range(10)})
    clock_of(scene).step(3 * DAY)
    with daemon(replace(scene, settings={**scene.settings, "SCHEDULE__SPREAD": "30m"})):
        began = clock_of(scene).now
        with scene.database(copied=False) as db:
            places = [not_before for (not_before,) in rows(db, "SELECT not_before FROM sync_runs")]
        step(scene, 31 * MINUTE)
        wait_until(lambda: all_ended(scene, 10))
    assert len(set(places)) == len(places) == 10
    assert {(slot, trigger) for _, slot, trigger, _ in runs_of(scene)} == {(at(began, 12), "catch_up")}


def test_a_host_that_slept_inside_an_exchange_repeats_it_in_the_same_run(scene: Scene) -> None:
    """P29: the peer is gone when the host wakes up; the hours of sleep count for no deadline."""
    link(scene, {"nightly": CRONS["nightly"]})
    clock_of(scene).step(DAY)
    started: SimpleQueue[Launched] = SimpleQueue()
    scene.google.faults.add("people", replace(faults.truncated(), stage=Stage.BODY, act=lambda: asleep(scene, started)))
    process = scene.start("daemon")
    started.put(process)
    wait_until(lambda: all_ended(scene, 1))
    process.kill(signal.SIGTERM)
    assert process.wait().code == 0
    with scene.database(copied=False) as db:
        assert rows(db, "SELECT attempts, starts, take_backs FROM sync_runs") == [(2, 1, 0)]


def asleep(scene: Scene, started: SimpleQueue[Launched]) -> None:
    process = started.get(timeout=60)
    process.kill(signal.SIGSTOP)
    wait_until(lambda: is_stopped(process))
    clock_of(scene).step(8 * HOUR)
    process.kill(signal.SIGCONT)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_two_hosts_whose_clocks_differ_by_five_minutes_leave_each_others_runs_alone(
    scene: Scene, tmp_path: Path
) -> None:
    """P19: leases go by the server's clock."""
    here = replace(scene, settings={**scene.settings, "DAEMON__LEASE": "3s", "DAEMON__HEARTBEAT": "200ms"})
    there = replace(here, clock=WallClock(tmp_path / "another clock"))
    clock_of(there).set_to(clock_of(here).now + 5 * MINUTE)
    link(scene, {"hourly": CRONS["hourly"], "nightly": CRONS["nightly"]})
    gate = scene.google.faults.hold("people", times=None)
    with daemon(here), daemon(there):
        clock_of(there).step(HOUR)
        clock_of(here).step(HOUR)
        assert gate.arrived.wait(60)
        outlived(scene, timedelta(seconds=4))
        gate.release()
        wait_until(lambda: all_ended(scene, 1))
    assert slots(scene) == {("hourly", at(NOON, 13))}
    with scene.database(copied=False) as db:
        assert rows(db, "SELECT starts, take_backs FROM sync_runs") == [(1, 0)]


def outlived(scene: Scene, span: timedelta) -> None:
    """Wait until both daemons have told for so long that they live."""

    def beats() -> list[datetime]:
        with scene.database(copied=False) as db:
            return [at for (at,) in rows(db, "SELECT heartbeat_at FROM nodes ORDER BY worker_id")]

    first = beats()
    wait_until(lambda: all(later - earlier > span for earlier, later in zip(first, beats(), strict=True)))
