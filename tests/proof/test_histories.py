"""Histories by the thousand: a failing seed is named with the one command that replays it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from contacts_sync.sandbox import Sandbox
from contacts_sync.store.engine import Database
from tests.postgres import Server
from tests.proof.conftest import Say
from tests.proof.histories import Histories, open_place

HISTORIES, QUICK = 20_000, 1_000
STEPS, QUICK_STEPS = 50, 10
PHASES, SHRINKING = (Phase.generate,), (Phase.shrink,)  # a replay may take its time
SHARDS, QUICK_SHARDS = 40, 4  # a store each; on both databases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With --whole there are more of them."""
    whole = metafunc.config.getoption("whole")
    metafunc.parametrize("shard", range((SHARDS if whole else QUICK_SHARDS) // 2))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: what survives a power cut isn't asked here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as made:
        yield Path(made)


@pytest.fixture
def store_url(request: pytest.FixtureRequest, home: Path) -> str:
    """As everywhere, but for the place of the file."""
    if request.param == "sqlite":
        return f"sqlite:///{home}/store.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.timeout(7200)
def test_after_every_success_the_copy_equals_the_world(
    shard: int, db: Database, home: Path, whole: bool, say: Say, request: pytest.FixtureRequest
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    of_all = HISTORIES // SHARDS if whole else QUICK // QUICK_SHARDS
    chosen = seed_of(request, shard, whole=whole)
    with Sandbox() as google:
        place = open_place(google, db, home)
        machine = type("History", (Histories,), {"place": place})
        seed(chosen)(machine)
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=of_all,
                    stateful_step_count=STEPS if whole else QUICK_STEPS,
                    database=None,
                    phases=PHASES if request.config.getoption("--hypothesis-seed") is None else PHASES + SHRINKING,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except BaseException as failed:
            node = request.node.nodeid
            failed.add_note(f"replay: .venv/bin/pytest {'--whole ' * whole}--hypothesis-seed={chosen} '{node}'")
            raise
    counted = dict(sorted(place.counted.items()))
    say(f"histories, {db.engine.dialect.name}, shard {shard}, seed {chosen}: 0 divergences, {counted}")
    assert place.counted["histories"] >= of_all


def seed_of(request: pytest.FixtureRequest, shard: int, *, whole: bool) -> int:
    """As given; else always the same for a quick run, and a new one each time for the whole proof."""
    given = request.config.getoption("--hypothesis-seed")
    if given is not None:
        return int(given)
    return secrets.randbits(32) if whole else shard
