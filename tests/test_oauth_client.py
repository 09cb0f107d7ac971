from __future__ import annotations

import json
from pathlib import Path

import pytest

from contacts_sync import config
from contacts_sync.errors import ConfigurationError
from contacts_sync.oauth_client import client_credentials
from contacts_sync.sections import ClientCredentials


@pytest.mark.parametrize("kind", ["installed", "web"])
def test_client_credentials_come_from_googles_json(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "client.json"
    file.write_text(json.dumps({kind: {"client_id": "a", "client_secret": "b"}}))
    loaded = config.load(None, environ={"CONTACTS_SYNC_GOOGLE__CLIENT_SECRETS_FILE": str(file)})
    assert client_credentials(loaded) == ClientCredentials("a", "b")


@pytest.mark.parametrize("content", ["{}", "[]", "nonsense", '{"installed": []}'])
def test_another_json_is_no_client(tmp_path: Path, content: str) -> None:
    file = tmp_path / "client.json"
    file.write_text(content)
    loaded = config.load(None, environ={"CONTACTS_SYNC_GOOGLE__CLIENT_SECRETS_FILE": str(file)})
    with pytest.raises(ConfigurationError, match="not the JSON"):
        client_credentials(loaded)


def test_no_client_at_all_says_how_to_get_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_credentials(config.load(None, environ={}))
    assert "Google's console" in caught.value.hint
