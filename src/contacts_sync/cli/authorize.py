"""`contacts-sync authorize`: consent on a machine with a browser, for a server without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, now, pass_frame

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.google.oauth import OAuthClient


@click.command("authorize")
@click.option("--client-id", help="The server's OAuth client id, if it isn't configured here.")
@click.option("--no-browser", is_flag=True, help="Only print the authorization URL.")
@click.option("--timeout", default="300s", show_default=True, help="How long to wait for the consent.")
@click.option("--redirect-port", type=click.IntRange(0, 65535), default=0, help="A fixed port.")
@json_option
@pass_frame
def command(
    frame: Frame, client_id: str | None, no_browser: bool, timeout: str, redirect_port: int, as_json: bool
) -> None:
    """Get a Google account's consent here, to be pasted into `connect USER --grant -` on a server.

    Needs no store, no key and no client secret here. What is printed on stdout works once, for ten minutes, and
    only where the OAuth client's secret is.

    Example: contacts-sync authorize --client-id 1234.apps.googleusercontent.com
    """
    from contacts_sync.cli.consent import patience_of, returned_code
    from contacts_sync.cli.output import note, print_json
    from contacts_sync.google import carried

    patience = patience_of(timeout)
    client = _client(frame.config(), client_id)
    consent, code = returned_code(
        client, None, redirect_port, patience, browser=not no_browser, as_json=as_json, url_to_stderr=True
    )
    packed = carried.pack(consent, code, client_id=client.client_id, now=now())
    note("Consent given. Within ten minutes, on the server: contacts-sync connect USER --grant -")
    note("and paste the next line. Don't send it anywhere else: with your client secret it opens these contacts.")
    if as_json:
        print_json({"event": "authorized", "grant": packed})
    else:
        click.echo(packed)


def _client(config: Config, client_id: str | None) -> OAuthClient:
    """The client to ask consent for; its secret isn't needed."""
    from contacts_sync.google.oauth import OAuthClient
    from contacts_sync.oauth_client import client_credentials

    endpoints = config.google.endpoints
    return OAuthClient(
        client_id=client_id or config.google.client_id or client_credentials(config).client_id,
        client_secret="",
        authorization=endpoints.authorization,
        token=endpoints.token,
        revocation=endpoints.revocation,
        userinfo=endpoints.userinfo,
    )
