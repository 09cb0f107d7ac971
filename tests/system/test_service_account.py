"""A Workspace user is connected without consent, synced, and cut off again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from contacts_sync.sandbox import faults
from tests.operating import Operator, mirror

ALICE, BOB = "alice@example.com", "bob@example.com"
ROBOT = "robot@project.iam.gserviceaccount.com"


@pytest.fixture
def key(operator: Operator) -> Path:
    """The JSON key of a service account that may speak for everybody; there is no OAuth client."""
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = pair.public_key().public_numbers()
    operator.google.trust_service_account(ROBOT, modulus=numbers.n, exponent=numbers.e)
    form = serialization.PrivateFormat.PKCS8
    pem = pair.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    named = {"client_email": ROBOT, "client_id": "1", "private_key": pem, "private_key_id": "k"}
    path = operator.home / "robot.json"
    path.write_text(json.dumps({"type": "service_account", **named}))
    del operator.environ["CONTACTS_SYNC_GOOGLE__CLIENT_ID"]
    operator.init()
    return path


def test_a_user_is_connected_by_delegation_and_refreshed_by_new_assertions(operator: Operator, key: Path) -> None:
    account = operator.google.world.add_account(ALICE)
    account.add_people(3)
    words = ("connect", "alice", "--service-account", str(key), "--subject", ALICE)
    assert operator.json(*words)["google_account"] == ALICE
    key.unlink()
    account.expire_access_tokens()
    operator.run("run-now", "alice")
    mirror(operator, "alice", ALICE)
    assert not operator.json("disconnect", "alice")["revoked"]
    assert operator.google.count("revoke") == 0


def connect_all(operator: Operator, key: Path, text: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """`connect --from-csv` of these lines; the answer is what was said of each."""
    (operator.home / "users.csv").write_text(text)
    words = ("connect", "--from-csv", "users.csv", "--service-account", str(key), "--json", *words)
    return [json.loads(line) for line in operator.run(*words, code=code).stdout.splitlines()]


def test_a_file_of_users_is_connected_a_line_each_and_one_bad_line_stops_nobody(operator: Operator, key: Path) -> None:
    for email in (ALICE, BOB):
        operator.google.world.add_account(email)
    lines = f"user,subject\nalice, {ALICE}\n\nnobody\nghost,ghost@example.com\nalice,{BOB}\n# later\nbob,{BOB}\n"
    told = connect_all(operator, key, lines, code=1)
    assert [(one["line"], one["event"]) for one in told] == [
        (2, "connected"),
        (4, "failed"),
        (5, "failed"),
        (6, "failed"),
        (8, "connected"),
    ]
    assert told[2]["error"]["message"].startswith("Google knows no ghost@example.com")
    assert {run["user_id"] for run in operator.runs("--status", "queued")} == {"alice", "bob"}


def test_the_same_file_again_changes_nothing(operator: Operator, key: Path) -> None:
    operator.google.world.add_account(ALICE)
    connect_all(operator, key, f"alice,{ALICE}\n")
    operator.run("run-now", "alice")
    (again,) = connect_all(operator, key, f"alice,{ALICE.upper()}\n")
    assert (again["event"], operator.runs("--status", "queued")) == ("unchanged", [])
    (moved,) = connect_all(operator, key, f"alice,{ALICE}\n", "--cron", "5 4 * * *")
    assert (moved["event"], operator.user("alice")["cron"]) == ("connected", "5 4 * * *")


def test_a_domain_that_forbids_it_is_told_what_its_admin_must_enter(operator: Operator, key: Path) -> None:
    operator.google.faults.add("token", faults.respond(401, {"error": "unauthorized_client"}))
    (told,) = connect_all(operator, key, f"alice,{ALICE}\n", code=1)
    for word in ("Domain-wide delegation", "client id 1 ", "https://www.googleapis.com/auth/contacts.readonly"):
        assert word in told["error"]["hint"]


def test_key_and_subject_go_together(operator: Operator) -> None:
    operator.init()
    operator.run("connect", "alice", "--subject", ALICE, code=2)
    operator.run("connect", "alice", "--service-account", "/nowhere.json", "--subject", ALICE, code=78)
