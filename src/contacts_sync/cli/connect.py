"""`contacts-sync connect`: link a user to a Google account."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, now, open_desk, pass_frame, user_argument
from contacts_sync.errors import ConsentFailed, InvalidUsage

if TYPE_CHECKING:
    from datetime import timedelta

    from contacts_sync.config import Config
    from contacts_sync.google.oauth import Consent
    from contacts_sync.model import Grant, Run
    from contacts_sync.store.engine import Database
    from contacts_sync.sync.desk import Desk

PASTE_REDIRECT = "http://127.0.0.1:1/oauth2callback"  # nobody listens there: the browser's address bar is the answer


@click.command("connect")
@user_argument
@click.option("--cron", help='The user\'s own schedule, standard crontab: "30 3 * * *".')
@click.option("--timezone", help="The schedule's time zone: Europe/Berlin.")
@click.option("--no-browser", is_flag=True, help="Only print the authorization URL.")
@click.option("--timeout", default="300s", show_default=True, help="How long to wait for the consent.")
@click.option("--redirect-port", type=click.IntRange(0, 65535), default=0, help="A fixed port, for ssh -L.")
@click.option("--paste", is_flag=True, help="No listener: paste the address the browser ends at.")
@click.option("--switch-account", is_flag=True, help="Replace the user's contacts by another Google account's.")
@json_option
@pass_frame
def command(
    frame: Frame,
    user_id: str,
    cron: str | None,
    timezone: str | None,
    no_browser: bool,
    timeout: str,
    redirect_port: int,
    paste: bool,
    switch_account: bool,
    as_json: bool,
) -> None:
    """Connect USER to a Google account: consent in a browser, then a full sync at once and one a day.

    USER is whatever your application calls this person. Connecting again renews the grant of the same account.

    Example: contacts-sync connect alice
    """
    patience = _patience(timeout)
    config = frame.config()
    _check_schedule(config, cron, timezone)
    with frame.store(config, create=True) as db:
        desk = open_desk(config, db)
        telling = _Telling(as_json=as_json, browser=not no_browser and not paste)
        hint = _known_account(db, user_id)
        grant = _pasted(desk, telling, hint) if paste else _listened(desk, telling, hint, redirect_port, patience)
        _finish(
            desk,
            telling,
            user_id,
            grant,
            _schedule(db, user_id, cron, timezone),
            switch_account=switch_account,
        )


class _Telling:
    """What the operator sees on the way."""

    def __init__(self, *, as_json: bool, browser: bool) -> None:
        self._as_json = as_json
        self._browser = browser

    def url(self, consent: Consent) -> None:
        """The authorization URL, alone on a line of stdout, at once."""
        from contacts_sync.cli.output import note, print_json

        if self._as_json:
            print_json({"event": "authorization_url", "url": consent.url})
        else:
            note("Open this address in a browser, sign in and allow access to contacts:")
            click.echo(consent.url)
        sys.stdout.flush()
        if self._browser:
            import webbrowser

            webbrowser.open(consent.url)

    def connected(self, user_id: str, google_account: str, run: Run) -> None:
        """The good end."""
        from contacts_sync.cli.output import print_json, say

        if self._as_json:
            print_json(
                {
                    "event": "connected",
                    "user_id": user_id,
                    "google_account": google_account,
                    "run_id": run.id,
                }
            )
            return
        say(f"{user_id} is connected to {google_account}; full sync queued (run {run.id})")
        say(f"next: the daemon carries it out, or: contacts-sync run-now {user_id}")


def _patience(text: str) -> timedelta:
    from datetime import timedelta

    from contacts_sync.config import parse_duration

    try:
        found = timedelta(seconds=float(text)) if text.replace(".", "", 1).isdigit() else parse_duration(text)
    except ValueError as error:
        raise InvalidUsage(f"--timeout is {text!r}, expected {error} or seconds") from None
    if not found:
        raise InvalidUsage("--timeout must be more than nothing")
    return found


def _check_schedule(config: Config, cron: str | None, timezone: str | None) -> None:
    from contacts_sync.timetable import compile_schedule

    compile_schedule(cron or config.schedule.cron, timezone or config.schedule.timezone)


def _schedule(
    db: Database, user_id: str, cron: str | None, timezone: str | None
) -> tuple[str | None, str | None] | None:
    """The new schedule; what isn't given stays as it is."""
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    if cron is None and timezone is None:
        return None
    with read(db) as tx:
        known = connections.get(tx, user_id)
    return cron or (known.cron if known else None), timezone or (known.timezone if known else None)


def _known_account(db: Database, user_id: str) -> str | None:
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    with read(db) as tx:
        known = connections.get(tx, user_id)
    return known.google_account if known else None


def _listened(desk: Desk, telling: _Telling, hint: str | None, port: int, patience: timedelta) -> Grant:
    from contacts_sync.cli.output import note
    from contacts_sync.google import oauth
    from contacts_sync.google.listener import Listener

    with Listener(port) as listener:
        consent = oauth.begin(desk.oauth, listener.redirect_uri, login_hint=hint)
        telling.url(consent)
        if port:
            note(f"from another machine: ssh -L {port}:127.0.0.1:{port} THIS-HOST, then open the address there")
        code = listener.wait(consent, patience)
    return oauth.exchange(desk.transport, desk.oauth, consent, code, now=now())


def _pasted(desk: Desk, telling: _Telling, hint: str | None) -> Grant:
    from contacts_sync.cli.output import note
    from contacts_sync.google import oauth

    consent = oauth.begin(desk.oauth, PASTE_REDIRECT, login_hint=hint)
    telling.url(consent)
    note("The browser will end at an address that can't be opened. Paste that whole address here, then Enter:")
    pasted = sys.stdin.readline()
    if not pasted.strip():
        raise ConsentFailed("nothing was pasted", hint="begin again")
    return oauth.exchange(desk.transport, desk.oauth, consent, oauth.parse_redirect(consent, pasted), now=now())


def _finish(
    desk: Desk,
    telling: _Telling,
    user_id: str,
    grant: Grant,
    schedule: tuple[str | None, str | None] | None,
    *,
    switch_account: bool,
) -> None:
    from contacts_sync.google import oauth
    from contacts_sync.sync.connecting import connect

    account = oauth.account(desk.transport, desk.oauth, grant)
    run = connect(desk, user_id=user_id, grant=grant, account=account, schedule=schedule, switch_account=switch_account)
    _warn_of_testing(grant)
    telling.connected(user_id, account.email, run)


def _warn_of_testing(grant: Grant) -> None:
    """Google says how long the refresh token lives: a week means that the app is in Testing."""
    from contacts_sync.cli.output import instant, note

    if grant.refresh_expires_at is not None:
        note(
            f"warning: this grant ends at {instant(grant.refresh_expires_at)}: the consent screen is in Testing; "
            "publish the app in Google's console (OAuth consent screen, Publish app) and connect again"
        )
