"""A command loads what it needs and no more: loading is most of what a short one costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.given import connected, store
from tests.operating import Operator

TOLD = "import sys, threading; threading._register_atexit(lambda: print('LOADED', *sys.modules)); "
NEVER_FOR_SQLITE = {"psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm"}
CONSENT = {"oauthlib", "requests_oauthlib", "jwt", "http.server"}
DAEMON = {"apscheduler", "apprise", "flask", "jinja2", "prometheus_client", "waitress", "werkzeug", "contacts_sync.web"}
BESIDE = {"alembic", "hypothesis", "rich", "vobject", "contacts_sync.sandbox"}


def loaded(code: str, operator: Operator) -> set[str]:
    """The modules that a fresh process has loaded when it ends."""
    told = subprocess.run(
        [sys.executable, "-c", TOLD + code], env=operator.environ, capture_output=True, text=True, check=False
    ).stdout
    assert "LOADED" in told
    return set(told.partition("LOADED")[2].split())


def typed(operator: Operator, *words: str) -> set[str]:
    return loaded(f"from contacts_sync.cli import main; main({list(words)!r})", operator)


@pytest.mark.parametrize("words", [["status"], ["runs", "list"], ["schedule", "show"], ["contacts", "list", "alice"]])
def test_a_command_that_only_looks_loads_neither_http_nor_logs(operator: Operator, words: list[str]) -> None:
    with store(operator) as db:
        connected(db, "alice")
    found = typed(operator, *words)
    assert "sqlalchemy" in found
    assert not found & {"requests", "urllib3", "structlog", "tenacity", *NEVER_FOR_SQLITE, *CONSENT, *DAEMON, *BESIDE}


def test_run_now_loads_nothing_of_consents_and_nothing_of_the_daemons(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
    found = typed(operator, "run-now", "alice")
    assert {"requests", "contacts_sync.sync.run"} <= found
    assert not found & {*NEVER_FOR_SQLITE, *CONSENT, *DAEMON, *BESIDE}


def test_a_daemon_without_a_dashboard_loads_none(operator: Operator) -> None:
    found = loaded("import contacts_sync.daemon.service", operator)
    assert "apscheduler" in found
    assert not found & {*NEVER_FOR_SQLITE, *CONSENT, *(DAEMON - {"apscheduler"}), *BESIDE}
