"""A Workspace user is connected without consent, synced, and cut off again."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.operating import Operator, mirror

ALICE = "alice@example.com"
ROBOT = "robot@project.iam.gserviceaccount.com"


def test_a_user_is_connected_by_delegation_and_refreshed_by_new_assertions(operator: Operator) -> None:
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = pair.public_key().public_numbers()
    operator.google.trust_service_account(ROBOT, modulus=numbers.n, exponent=numbers.e)
    account = operator.google.world.add_account(ALICE)
    account.add_people(3)
    form = serialization.PrivateFormat.PKCS8
    pem = pair.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    named = {"client_email": ROBOT, "client_id": "1", "private_key": pem, "private_key_id": "k"}
    key = operator.home / "robot.json"
    key.write_text(json.dumps({"type": "service_account", **named}))
    operator.environ.pop("CONTACTS_SYNC_GOOGLE__CLIENT_ID")
    operator.init()

    words = ("connect", "alice", "--service-account", str(key), "--subject", ALICE)
    assert operator.json(*words)["google_account"] == ALICE
    key.unlink()
    account.expire_access_tokens()
    operator.run("run-now", "alice")
    mirror(operator, "alice", ALICE)
    assert not operator.json("disconnect", "alice")["revoked"]
    assert operator.google.count("revoke") == 0


def test_key_and_subject_go_together(operator: Operator) -> None:
    operator.init()
    operator.run("connect", "alice", "--subject", ALICE, code=2)
    operator.run("connect", "alice", "--service-account", "/nowhere.json", "--subject", ALICE, code=78)
