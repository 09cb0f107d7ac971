"""Asking a person for consent: a listener on loopback, or a pasted address."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import click

from contacts_sync.cli.frame import now
from contacts_sync.cli.output import note, print_json
from contacts_sync.errors import ConsentFailed
from contacts_sync.google import oauth
from contacts_sync.google.listener import Listener
from contacts_sync.model import Grant
from contacts_sync.sync.desk import Desk

PASTE_REDIRECT = "http://127.0.0.1:1/oauth2callback"  # nobody listens there: the browser's address bar is the answer


def listened(
    desk: Desk, login_hint: str | None, port: int, patience: timedelta, *, browser: bool, as_json: bool
) -> Grant:
    """Wait for the browser to come back. `port` 0 is any. Raises `ConsentFailed`, `InvalidUsage` for a taken port."""
    with Listener(port) as listener:
        consent = oauth.begin(desk.oauth, listener.redirect_uri, login_hint=login_hint)
        _tell_url(consent.url, as_json=as_json)
        if port:
            note(f"from another machine: ssh -L {port}:127.0.0.1:{port} THIS-HOST, then open the address there")
        if browser and _has_windows():
            _open_browser(consent.url)
        code = listener.wait(consent, patience)
    return oauth.exchange(desk.transport, desk.oauth, consent, code, now=now())


def _tell_url(url: str, *, as_json: bool) -> None:
    """The authorization URL, alone on a line of stdout, at once."""
    if as_json:
        print_json({"event": "authorization_url", "url": url})
        return
    note("Open this address in a browser, sign in and allow access to contacts:")
    click.echo(url)
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
    consent = oauth.begin(desk.oauth, PASTE_REDIRECT, login_hint=login_hint)
    _tell_url(consent.url, as_json=as_json)
    note("The browser will end at an address that can't be opened. Paste that whole address here, then Enter:")
    answer = sys.stdin.readline()
    if not answer.strip():
        raise ConsentFailed("nothing was pasted", hint="begin again")
    return oauth.exchange(desk.transport, desk.oauth, consent, oauth.parse_redirect(consent, answer), now=now())
