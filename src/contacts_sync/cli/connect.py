"""`contacts-sync connect`: link a user to a Google account."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, now, open_desk, optional_user_argument, pass_frame
from contacts_sync.cli.schedule_words import ScheduleWords, schedule_options
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import Account, Connection, Grant, OwnSchedule, Run
    from contacts_sync.store.engine import Database
    from contacts_sync.sync.desk import Desk


@click.command("connect")
@optional_user_argument
@schedule_options
@click.option("--no-browser", is_flag=True, help="Only print the authorization URL.")
@click.option("--timeout", default="300s", show_default=True, help="How long to wait for the consent.")
@click.option("--redirect-port", type=click.IntRange(0, 65535), default=0, help="A fixed port, for ssh -L.")
@click.option("--paste", is_flag=True, help="No listener: paste the address the browser ends at.")
@click.option("--grant", "grant_source", metavar="-", help="What `authorize` printed elsewhere, from stdin or a file.")
@click.option("--service-account", "key_path", metavar="KEY.json", help="Domain-wide delegation: no consent.")
@click.option("--subject", metavar="EMAIL", help="Whose contacts, with --service-account.")
@click.option("--from-csv", "csv_path", metavar="FILE", help="Many users: lines of user,subject.")
@click.option("--switch-account", is_flag=True, help="Replace the user's contacts by another Google account's.")
@json_option
@pass_frame
def command(
    frame: Frame,
    user_id: str | None,
    words: ScheduleWords,
    no_browser: bool,
    timeout: str,
    redirect_port: int,
    paste: bool,
    grant_source: str | None,
    key_path: str | None,
    subject: str | None,
    csv_path: str | None,
    switch_account: bool,
    as_json: bool,
) -> int | None:
    """Connect USER to a Google account: consent in a browser, then a full sync at once and one a day.

    USER is whatever your application calls this person. Connecting again renews the grant of the same account.

    \b
    Examples: contacts-sync connect alice
              contacts-sync connect alice --service-account robot.json --subject alice@example.com
              contacts-sync connect --from-csv users.csv --service-account robot.json
    """
    from contacts_sync.cli.consent import brought, listened, pasted, patience_of
    from contacts_sync.cli.from_csv import connect_all
    from contacts_sync.google.service_account import delegated

    ways = Ways(user_id, paste, grant_source, key_path, subject, csv_path)
    ways.refuse_contradictions()
    patience = patience_of(timeout)
    config = frame.config()
    words.check(config)  # words that can't be right must not make a store
    key = _service_account_key(config, key_path)
    with frame.store(config, create=True) as db:
        desk = open_desk(config, db)
        if csv_path and key:
            schedule_of = partial(words.schedule_of, config=config)
            return connect_all(desk, Path(csv_path), key, schedule_of, switch_account=switch_account, as_json=as_json)
        user = user_id or ""
        known, present = _known(db, user)
        schedule = words.schedule_of(user, present, config)
        hint = known.google_account if known and not switch_account else None
        if key:
            grant = delegated(desk.transport, desk.oauth, key, subject or "", now=now())
        elif paste:
            grant = pasted(desk, hint, as_json=as_json)
        elif grant_source:
            grant = brought(desk, grant_source)
        else:
            grant = listened(desk, hint, redirect_port, patience, browser=not no_browser, as_json=as_json)
        connection, run = _store(desk, user, grant, schedule, switch_account=switch_account)
        _tell(config, db, connection, run, as_json=as_json)
    return None


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to a grant that one command line names."""

    user_id: str | None
    paste: bool
    grant_source: str | None
    key_path: str | None
    subject: str | None
    csv_path: str | None

    def refuse_contradictions(self) -> None:
        """Raise `InvalidUsage` for words that don't belong together."""
        ways = [self.paste, self.grant_source is not None, self.key_path is not None]
        if sum(ways) > 1:
            raise _misused("--paste, --grant and --service-account are three ways: choose one")
        if (self.user_id is None) == (self.csv_path is None):
            raise _misused("whom? give a USER, or --from-csv FILE for many")
        if self.csv_path is not None and (self.key_path is None or self.subject is not None):
            raise _misused("--from-csv FILE needs --service-account KEY.json, and names the subjects itself")
        if self.csv_path is None and (self.key_path is None) != (self.subject is None):
            raise _misused("--service-account KEY.json and --subject EMAIL go together")
        if self.subject is not None and "@" not in self.subject:
            raise _misused("--subject is an e-mail address of your domain")


def _misused(message: str) -> InvalidUsage:
    return InvalidUsage(message, hint="contacts-sync connect --help")


def _service_account_key(config: Config, key_path: str | None) -> str | None:
    """The key for `--service-account`; without one there must be an OAuth client to ask for consent with."""
    from contacts_sync.google.service_account import read_key
    from contacts_sync.oauth_client import client_credentials

    if key_path is None:
        client_credentials(config)
        return None
    return read_key(Path(key_path))


def _known(db: Database, user_id: str) -> tuple[Connection | None, OwnSchedule | None]:
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    with read(db) as tx:
        return connections.get(tx, user_id), connections.own_schedule(tx, user_id)


def _store(
    desk: Desk, user_id: str, grant: Grant, schedule: OwnSchedule | None, *, switch_account: bool
) -> tuple[Connection, Run]:
    """Find out whose grant it is, store it, queue the full sync. Raises what `sync.connecting.connect` raises."""
    from contacts_sync.cli.frame import linked
    from contacts_sync.model import Account
    from contacts_sync.store.engine import read
    from contacts_sync.sync.connecting import connect

    account = Account(grant.subject, grant.subject) if grant.subject else _consenting(desk, grant)
    run = connect(desk, user_id=user_id, grant=grant, account=account, schedule=schedule, switch_account=switch_account)
    _warn_of_testing(grant)
    with read(desk.db) as tx:
        return linked(tx, user_id), run


def _consenting(desk: Desk, grant: Grant) -> Account:
    """Whose consent it was; if Google doesn't say, the grant must not stay alive there unused."""
    from contacts_sync.errors import ContactsSyncError
    from contacts_sync.google import oauth

    try:
        return oauth.account(desk.transport, desk.oauth, grant)
    except (ContactsSyncError, KeyboardInterrupt):
        oauth.revoke_quietly(desk.transport, desk.oauth, grant)
        raise


def _warn_of_testing(grant: Grant) -> None:
    """Google says how long the refresh token lives: a week means that the app is in Testing."""
    from contacts_sync.cli.output import instant, warn

    if grant.refresh_expires_at is not None:
        warn(
            f"warning: this grant ends at {instant(grant.refresh_expires_at)}: the consent screen is in Testing; "
            "publish the app in Google's console (OAuth consent screen, Publish app) and connect again"
        )


def _tell(config: Config, db: Database, connection: Connection, run: Run, *, as_json: bool) -> None:
    from contacts_sync.cli.hands import daemon_lives
    from contacts_sync.cli.output import instant, print_json, say
    from contacts_sync.cli.timing import default_schedule
    from contacts_sync.daemon.agenda import in_words, next_run
    from contacts_sync.daemon.reconcile import effective
    from contacts_sync.errors import typed
    from contacts_sync.store import interval_schedules
    from contacts_sync.store.engine import read

    user, account = connection.user_id, connection.google_account
    if as_json:
        print_json({"event": "connected", "user_id": user, "google_account": account, "run_id": run.id})
        return
    schedule = effective(connection, default_schedule(config))
    with read(db) as tx:
        at_intervals = interval_schedules.get(tx, user)
    at, _ = next_run(connection, schedule, at_intervals, now(), config.schedule.spread)
    say(f"{user} is connected to {account}; a full sync is queued (run {run.id})")
    say(f"from now on: {in_words(connection, schedule, at_intervals)}, in {schedule.timezone}, first at {instant(at)}")
    if daemon_lives(config, db):
        say(f"next: nothing, the daemon syncs; contacts-sync status {typed(user)} shows how it goes")
    else:
        say(f"next: contacts-sync run-now {typed(user)}, or start the daemon: contacts-sync daemon")
