"""The operator's OAuth client, from the configuration or the JSON file that Google's console gives."""

from __future__ import annotations

import json
from pathlib import Path

from contacts_sync.errors import ConfigurationError
from contacts_sync.sections import ClientCredentials, Config


def has_client(config: Config) -> bool:
    """True if an OAuth client is configured."""
    return bool(config.google.client_secrets_file or (config.google.client_id and config.google.client_secret))


def client_credentials(config: Config) -> ClientCredentials:
    """The configured OAuth client, or the one of the JSON file that Google's console gives.

    Raises `ConfigurationError` if there is none, or the file isn't such a file.
    """
    google = config.google
    if google.client_secrets_file:
        return _credentials_from(Path(google.client_secrets_file))
    if google.client_id and google.client_secret:
        return ClientCredentials(google.client_id, google.client_secret)
    raise ConfigurationError(
        "no OAuth client is configured",
        hint="create a Desktop client in Google's console and set google.client_secrets_file to the JSON it gives",
    )


def _credentials_from(path: Path) -> ClientCredentials:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
        client = document.get("installed") or document["web"]
        return ClientCredentials(str(client["client_id"]), str(client["client_secret"]))
    except OSError as error:
        raise ConfigurationError(f"google.client_secrets_file {path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"google.client_secrets_file {path} is not the JSON of an OAuth client",
            hint="download it again from Google's console: Credentials, OAuth 2.0 Client IDs, Desktop app",
        ) from None
