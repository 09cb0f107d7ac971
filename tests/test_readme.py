"""The README says what the program does, and can't go stale unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contacts_sync import errors
from contacts_sync.cli import COMMANDS
from contacts_sync.store.engine import Database, read

README = (Path(__file__).parents[1] / "README.md").read_text()
INNER = {"ContactsSyncError", "SyncError", "InvalidUsage", "UnknownUser", "UnknownItem"}  # roots, and wrong words
HEALED = {  # what the sync heals by itself, or what stands under another word
    "QuotaExceeded": "queued",
    "RunDeferred": "queued",
    "GrantRejected": "needs_reauth",
    "ScopeMissing": "needs_reauth",
    "UnreadableGrant": "KeyProblem",
}
SILENT = {"AccessTokenRejected", "SyncTokenExpired", "PageTokenRejected", "LeaseLost", "Interrupted"}


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_each_set_up_command_is_one_line(heading: str) -> None:
    found = re.search(rf"^## {heading}\n.*?^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found
    assert found[1].count("\n") == 1


def test_every_error_an_operator_can_meet_is_in_when_something_is_red() -> None:
    red = README.split("## When something is red")[1].split("\n## ")[0]
    known = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
    for name in known - INNER - SILENT:
        assert name in red or HEALED.get(name, "missing") in README, name


def test_every_command_is_mentioned() -> None:
    for name in COMMANDS:
        assert re.search(rf"contacts-sync {name}|`{name}`", README), name


def test_every_promise_names_a_test_that_exists() -> None:
    promises = README.split("## What it promises")[1].split("\n## ")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promises)
    assert named
    for path, test in named:
        assert f"def {test}(" in (Path(__file__).parents[1] / path).read_text(), f"{path}::{test}"


def test_the_example_queries_run(db: Database) -> None:
    from sqlalchemy import text

    block = re.search(r"```sql\n(.*?)```", README, re.DOTALL)
    assert block
    queries = [query for query in block[1].split(";\n") if query.strip()]
    assert len(queries) == 3
    for query in queries:
        with read(db) as tx:
            assert tx.execute(text(query.strip().removesuffix(";"))).all() == []
