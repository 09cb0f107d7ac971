"""Who carries queued runs out."""

from __future__ import annotations

import os

import pytest

from contacts_sync import config
from contacts_sync.cli.hands import Hands, daemon_lives
from contacts_sync.errors import KeyProblem, StoreUnavailable
from contacts_sync.model import Node
from contacts_sync.store import nodes
from contacts_sync.store.engine import Database, write
from tests.cli.given import now, store
from tests.operating import Operator, wait_until


def loaded(operator: Operator) -> config.Config:
    return config.load(None, environ=operator.environ)


def with_daemon(db: Database) -> None:
    host, boot_id = nodes.this_host()
    with write(db) as tx:
        nodes.beat(tx, Node("w", "daemon", host, boot_id, os.getpid(), "1", now(), now()))


def test_a_process_without_a_key_cannot_help_unless_a_daemon_lives(operator: Operator) -> None:
    (operator.home / "key").unlink()
    with store(operator) as db:
        with pytest.raises(KeyProblem):
            Hands(loaded(operator), db)
        with_daemon(db)
        with Hands(loaded(operator), db) as hands:
            hands.see_to([1])


def test_a_command_that_runs_syncs_is_no_daemon(operator: Operator) -> None:
    host, boot_id = nodes.this_host()
    with store(operator) as db:
        with write(db) as tx:
            nodes.beat(tx, Node("c", "command", host, boot_id, os.getpid(), "1", now(), now()))
        assert not daemon_lives(loaded(operator), db)
        with_daemon(db)
        assert daemon_lives(loaded(operator), db)


def test_trouble_of_the_working_thread_is_raised_where_somebody_waits(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr("contacts_sync.cli.hands.run_here", full)
    with store(operator) as db, Hands(loaded(operator), db) as hands, pytest.raises(StoreUnavailable):
        wait_until(lambda: hands.see_to([1]))
