"""Asking a person for consent: a listener on loopback, a pasted address, or a grant from another machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click

from contacts_sync.cli.frame import checked_duration, now
from contacts_sync.cli.output import note, print_json
from contacts_sync.cli.pasting import MOST_BYTES, pasted_text
from contacts_sync.errors import InvalidUsage
from contacts_sync.google import carried
from contacts_sync.google.consent import Consent, begin, exchange, parse_redirect
from contacts_sync.google.listener import Listener
from contacts_sync.google.oauth import OAuthClient
from contacts_sync.model import Grant
from contacts_sync.sync.desk import Desk

PASTE_REDIRECT = "http://127.0.0.1:1/oauth2callback"  # nobody listens there: the browser's address bar is the answer
LONGEST_WAIT = timedelta(days=1)


def patience_of(text: str) -> timedelta:
    """`--timeout`: a duration, or plain seconds. Raises `InvalidUsage`."""
    plain = re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII)
    return checked_duration("--timeout", f"{text}s" if plain else text, most=LONGEST_WAIT)


def listened(
    desk: Desk, login_hint: str | None, port: int, patience: timedelta, *, browser: bool, as_json: bool
) -> Grant:
    """Wait for the browser to come back. `port` 0 is any. Raises `ConsentFailed`, `InvalidUsage` for a taken port."""
    consent, code = returned_code(desk.oauth, login_hint, port, patience, browser=browser, as_json=as_json)
    return exchange(desk.transport, desk.oauth, consent, code, now=now())


def returned_code(
    client: OAuthClient,
    login_hint: str | None,
    port: int,
    patience: timedelta,
    *,
    browser: bool,
    as_json: bool,
    url_to_stderr: bool = False,
) -> tuple[Consent, str]:
    """The consent and the code that the browser brought back to this machine."""
    with Listener(port) as listener:
        consent = begin(client, listener.redirect_uri, login_hint=login_hint)
        _tell_url(consent.url, as_json=as_json, to_stderr=url_to_stderr)
        if port:
            note(_tunnel(port))
        if browser and _has_windows():
            _open_browser(consent.url)
        return consent, listener.wait(consent, patience)


def _tunnel(port: int) -> str:
    """The exact line that brings a browser's answer here, where somebody has logged in over SSH."""
    address = os.environ.get("SSH_CONNECTION", "").split()
    host = address[2] if len(address) == 4 else "THIS-HOST"
    who = f"{os.environ['USER']}@" if os.environ.get("USER") and len(address) == 4 else ""
    return f"from another machine, first: ssh -N -L {port}:127.0.0.1:{port} {who}{host}"


def _tell_url(url: str, *, as_json: bool, to_stderr: bool = False) -> None:
    """The authorization URL, alone on a line, at once: on stdout, unless that is for something else."""
    if as_json:
        print_json({"event": "authorization_url", "url": url})
        return
    note("Open this address in a browser, sign in and allow access to contacts:")
    click.echo(url, err=to_stderr)
    sys.stdout.flush()


def _has_windows() -> bool:
    """True if a browser would open a window of its own, and not take over this terminal."""
    wanted = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in wanted)


def _open_browser(url: str) -> None:
    """In a process of its own: a browser that talks, or stays, must not disturb this one."""
    nowhere = subprocess.DEVNULL
    opener = [sys.executable, "-m", "webbrowser", url]
    subprocess.Popen(opener, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)  # noqa: S603  (Python's own, and a URL we made)


def pasted(desk: Desk, login_hint: str | None, *, as_json: bool) -> Grant:
    """Have the address the browser ends at pasted into stdin. Raises `ConsentFailed`."""
    consent = begin(desk.oauth, PASTE_REDIRECT, login_hint=login_hint)
    _tell_url(consent.url, as_json=as_json)
    note("The browser will end at an address that can't be opened. Paste that whole address here, then Enter:")
    code = parse_redirect(consent, pasted_text())
    return exchange(desk.transport, desk.oauth, consent, code, now=now())


def brought(desk: Desk, source: str) -> Grant:
    """Redeem what `authorize` printed on another machine: from stdin for `-`, else from a file.

    Raises `ConsentFailed`, `InvalidUsage` for a file that can't be read.
    """
    if source == "-" and sys.stdin.isatty():
        note("Paste the line that contacts-sync authorize printed, then Enter:")
    consent, code = carried.unpack(_grant_text(source), client_id=desk.oauth.client_id, now=now())
    return exchange(desk.transport, desk.oauth, consent, code, now=now())


def _grant_text(source: str) -> str:
    if source == "-":
        return pasted_text()
    try:
        return Path(source).read_text("utf-8", errors="replace")[:MOST_BYTES]
    except OSError as error:
        raise InvalidUsage(f"{source} can't be read: {error.strerror}", hint="--grant - reads from stdin") from None
