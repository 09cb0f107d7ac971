from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from contacts_sync.sandbox import Sandbox
from contacts_sync.sandbox.assertions import GRANT_TYPE
from tests.sandbox.conftest import ANN, CONTACTS, Caller

Assertion = Callable[..., str]
ROBOT = "robot@project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(autouse=True)
def trusted(google: Sandbox, key: RSAPrivateKey) -> None:
    numbers = key.public_key().public_numbers()
    google.trust_service_account(ROBOT, modulus=numbers.n, exponent=numbers.e)


def _signed(key: RSAPrivateKey, google: Sandbox, **claims: Any) -> str:
    now = int(google.world.now().timestamp())
    fixed = {"iss": ROBOT, "sub": ANN, "scope": CONTACTS, "iat": now, "exp": now + 3600}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, {**fixed, **claims})]
    text = b".".join(map(base64.urlsafe_b64encode, parts)).replace(b"=", b"")
    signature = base64.urlsafe_b64encode(key.sign(text, PKCS1v15(), SHA256())).rstrip(b"=")
    return (text + b"." + signature).decode()


@pytest.fixture
def assertion(google: Sandbox, key: RSAPrivateKey) -> Assertion:
    return partial(_signed, key, google)


def _ask(caller: Caller, assertion: str) -> Any:
    return caller.post("token", {"grant_type": GRANT_TYPE, "assertion": assertion})


def test_a_signed_assertion_opens_the_subjects_contacts(caller: Caller, google: Sandbox, assertion: Assertion) -> None:
    answer = _ask(caller, assertion()).json()
    assert answer.keys() == {"access_token", "expires_in", "token_type"}
    caller.token = answer["access_token"]
    assert caller.connections().status_code == 200
    assert google.requests[-1].account == ANN


@pytest.mark.parametrize(
    ("claims", "status", "told"),
    [
        ({"iss": "nobody"}, 400, "account not found"),
        ({"sub": "stranger@example.com"}, 400, "Invalid email or User ID"),
        ({"scope": "openid"}, 401, "not authorized for any of the scopes"),
        ({"exp": 1}, 400, "reasonable timeframe"),
        ({"iat": None}, 400, "reasonable timeframe"),
    ],
)
def test_an_assertion_that_does_not_fit_is_refused(
    caller: Caller, assertion: Assertion, claims: dict[str, Any], status: int, told: str
) -> None:
    answer = _ask(caller, assertion(**claims))
    assert answer.status_code == status
    assert told in answer.json()["error_description"]


def test_anothers_signature_is_refused(caller: Caller, google: Sandbox) -> None:
    answer = _ask(caller, _signed(generate_private_key(65537, 2048), google)).json()
    assert answer["error_description"] == "Invalid JWT Signature."


def test_rubbish_is_no_assertion(caller: Caller) -> None:
    assert _ask(caller, "a.b").json()["error"] == "invalid_grant"
