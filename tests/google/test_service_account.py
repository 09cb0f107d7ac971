"""Domain-wide delegation: a signed assertion in place of a consent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from contacts_sync import errors
from contacts_sync.google import grants, service_account
from contacts_sync.google.http import Transport
from contacts_sync.google.oauth import CONTACTS_SCOPE, OAuthClient
from contacts_sync.google.people import PeopleClient, fetch_groups
from contacts_sync.sandbox import Sandbox, faults

ROBOT = "robot@project.iam.gserviceaccount.com"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path, pair: rsa.RSAPrivateKey) -> Path:
    """The JSON key as the console gives it."""
    form = serialization.PrivateFormat.PKCS8
    pem = pair.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    named = {"client_email": ROBOT, "client_id": "1234567890", "private_key": pem, "private_key_id": "abc"}
    path = tmp_path / "robot.json"
    path.write_text(json.dumps({"type": "service_account", **named}))
    return path


@pytest.fixture
def trusted(google: Sandbox, pair: rsa.RSAPrivateKey) -> Sandbox:
    numbers = pair.public_key().public_numbers()
    google.trust_service_account(ROBOT, modulus=numbers.n, exponent=numbers.e)
    return google


def test_a_signed_assertion_gives_access_to_the_subjects_contacts(
    trusted: Sandbox, patient: Transport, client: OAuthClient, key_file: Path
) -> None:
    key = service_account.read_key(key_file)
    grant = service_account.delegated(patient, client, key, "ann@example.com", now=now())
    assert (grant.refresh_token, grant.scopes, grant.subject) == ("", (CONTACTS_SCOPE,), "ann@example.com")
    assert timedelta(minutes=59) < grant.expires_at - now() <= timedelta(hours=1)
    labels = fetch_groups(PeopleClient(patient, trusted.url, 100), grant.access_token, user_id="ann")
    assert labels.groups


def test_a_fresh_token_comes_from_another_assertion(
    trusted: Sandbox, patient: Transport, client: OAuthClient, key_file: Path
) -> None:
    key = service_account.read_key(key_file)
    grant = service_account.delegated(patient, client, key, "ann@example.com", now=now())
    fresh = grants.refresh(patient, client, replace(grant, access_token="old"), now=now())
    assert fresh.access_token not in ("old", grant.access_token)
    assert fresh.subject == "ann@example.com"


def test_a_delegation_that_is_missing_names_console_page_client_id_and_scope(
    google: Sandbox, patient: Transport, client: OAuthClient, key_file: Path
) -> None:
    refused = {"error": "unauthorized_client", "error_description": "Client is unauthorized to retrieve access tokens"}
    google.faults.add("token", faults.respond(401, refused))
    key = service_account.read_key(key_file)
    with pytest.raises(errors.OperatorTrouble) as caught:
        service_account.delegated(patient, client, key, "ann@example.com", now=now())
    assert all(word in caught.value.hint for word in ("Domain-wide delegation", "1234567890", CONTACTS_SCOPE))


def test_an_unknown_subject_is_the_users_trouble(
    trusted: Sandbox, patient: Transport, client: OAuthClient, key_file: Path
) -> None:
    with pytest.raises(errors.GrantRejected, match=r"nobody@example\.com"):
        service_account.delegated(patient, client, service_account.read_key(key_file), "nobody@example.com", now=now())


@pytest.mark.parametrize(
    "content", ["", "[]", '{"type": "authorized_user"}', '{"type": "service_account"}', '{"installed": {}}']
)
def test_another_file_is_no_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(errors.ConfigurationError, match="not the JSON key"):
        service_account.read_key(path)


def test_the_key_stays_out_of_repr(trusted: Sandbox, patient: Transport, client: OAuthClient, key_file: Path) -> None:
    grant = service_account.delegated(patient, client, service_account.read_key(key_file), "ann@example.com", now=now())
    assert "PRIVATE KEY" not in repr(grant)
