"""Tokens, codes and keys never appear outside the sealed column: not on a terminal, in a log, in a file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

from contacts_sync.sandbox import faults
from tests.operating import Operator

ALICE = "alice@example.com"


def canaries(operator: Operator) -> set[str]:
    grants = operator.google.world.grants
    tokens = set(grants._access) | set(grants._refresh)
    return tokens | {operator.google.client_secret, (operator.home / "key").read_text().strip()}


def disguises(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret).strip('"'),
        encoded,
        repr(secret.encode())[2:-1],
    }


def test_no_secret_leaves_the_house_at_debug_level(operator: Operator) -> None:
    account = operator.google.world.add_account(ALICE)
    account.add_people(3)
    operator.init()
    secrets = set()
    operator.connect("alice", account=ALICE)
    secrets |= canaries(operator)
    for trouble in (faults.internal_error(), faults.reset(), faults.truncated(), faults.unauthenticated()):
        operator.google.faults.add("people", trouble)
        operator.run("--log-level", "debug", "run-now", "alice")
        secrets |= canaries(operator)
    operator.google.faults.add("token", faults.bad_gateway(), times=3)
    account.expire_access_tokens()
    operator.run("--log-level", "debug", "run-now", "alice", code=1)
    for words in (
        ("status",),
        ("runs", "list"),
        ("runs", "show", "1"),
        ("contacts", "list", "alice"),
        ("check",),
    ):
        operator.json("--log-level", "debug", *words)
    operator.google.faults.add("revoke", faults.internal_error(), times=None)
    operator.run("--log-level", "debug", "disconnect", "alice")
    said = "\n".join(operator.transcript).encode() + b"".join(
        path.read_bytes() for path in operator.home.rglob("*") if path.is_file() and path.name != "key"
    )
    found = [secret[:12] for secret in secrets for form in disguises(secret) if form.encode() in said]
    assert len(secrets) >= 5
    assert not found


def test_files_are_made_for_their_owner_only(operator: Operator) -> None:
    operator.init()
    operator.google.world.add_account(ALICE)
    operator.connect("alice", account=ALICE)
    modes = {path: path.stat().st_mode & 0o077 for path in operator.home.rglob("*") if _is_ours(path)}
    assert modes
    assert not any(modes.values()), modes


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.name in ("key", "config.toml") or ".db" in path.name)
