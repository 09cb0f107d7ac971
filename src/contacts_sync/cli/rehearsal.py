"""What the demo does: a real store, real HTTP and the real sync, with the sandbox in Google's place."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import click

from contacts_sync import config as configuration
from contacts_sync import logs, vault
from contacts_sync.daemon.workers import new_worker_id, run_here
from contacts_sync.google import oauth
from contacts_sync.google.consent import begin, exchange
from contacts_sync.google.listener import Listener
from contacts_sync.model import Run, RunKind, RunStatus, Trigger
from contacts_sync.sandbox import Sandbox
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import Database, Transaction, close, open_database, read, write
from contacts_sync.sync.connecting import connect
from contacts_sync.sync.desk import Desk, open_desk

USERS = {"ana": ("ana@example.com", 1200), "ben": ("ben@example.com", 180), "cyd": ("cyd@example.com", 40)}
CONFIG = """\
[database]
url = "sqlite:///{home}/contacts-sync.db"
[secrets]
key_file = "{home}/key"
[google]
client_id = "{client_id}"
client_secret = "{client_secret}"
[google.endpoints]
authorization = "{authorization}"
token = "{token}"
revocation = "{revocation}"
userinfo = "{userinfo}"
people = "{people}"
[schedule]
cron = "* * * * *"
"""

A_QUERY = "SELECT display_name FROM contacts LIMIT 5"


@contextmanager
def rehearsed() -> Iterator[Rehearsal]:
    """A fresh temporary home with key, configuration and store, and a simulated Google while the block lasts."""
    home = Path(tempfile.mkdtemp(prefix="contacts-sync-demo-"))
    with Sandbox() as google:
        vault.write_key_file(home / "key")
        _write_config(home / "config.toml", google)
        config = configuration.load(home / "config.toml", environ={})
        db = open_database(config.database.url, create=True, upgrade=True)
        try:
            yield Rehearsal(home, google, config, db)
        finally:
            close(db)


def _write_config(path: Path, google: Sandbox) -> None:
    path.touch(mode=0o600)
    path.write_text(
        CONFIG.format(
            home=path.parent,
            client_id=google.client_id,
            client_secret=google.client_secret,
            **google.endpoints,
        )
    )


class Rehearsal:
    """The three users, their simulated accounts, and what has been told so far."""

    def __init__(self, home: Path, google: Sandbox, config: configuration.Config, db: Database) -> None:
        self._home = home
        self._google = google
        self._config = config
        self._db = db
        self._desk = self._new_desk()
        self._story: dict[str, str] = {}
        for email, people in USERS.values():
            google.world.add_account(email).add_people(people, labels=("Family", "Work"))

    # -- chapters

    def introduce(self) -> None:
        """What is real here and what isn't."""
        _say(f"A simulated Google listens on {self._google.url}. Everything else is real:")
        _say("OAuth 2.0 with PKCE, the People API's pages and sync tokens over HTTP, and a SQLite store.")

    def connect_everybody(self) -> None:
        """Consent for each user, given by a stand-in for the browser."""
        _head("Connect three users (contacts-sync connect USER)")
        for user, (email, _) in USERS.items():
            self._connect(user, email)
            _say(f"  {user:<4} -> {email}: tokens stored encrypted, full sync queued, daily sync scheduled")

    def sync_everybody(self) -> None:
        """The first full syncs."""
        _head("First sync: everything (contacts-sync run-now --all)")
        for run in self._run(list(USERS)):
            _say(f"  {_told(run)}")

    def change_things_at_google(self) -> None:
        """A new contact, a renamed one, a deleted one, a label."""
        _head("Meanwhile, ana edits her contacts at Google")
        account = self._google.world.account(USERS["ana"][0])
        renamed, deleted = sorted(account.people())[:2]
        new = account.add_person(given_name="Grace", family_name="Hopper", emails=["grace@navy.example"])
        account.change_person(renamed, given_name="Augusta", family_name="Lovelace")
        label = account.add_label("Pioneers")
        account.label(new, label)
        self._story = {"new": new, "renamed": renamed, "deleted": deleted, "label": label}
        names = self._names([renamed, deleted])
        account.delete_person(deleted)
        _say("  + Grace Hopper is new, with the new label Pioneers")
        _say(f"  ~ {names.get(renamed)} is now called Augusta Lovelace")
        _say(f"  - {names.get(deleted)} is deleted")

    def sync_the_changes(self) -> None:
        """An incremental sync, and what it did to the store."""
        _head("Second sync: only what changed (contacts-sync run-now ana)")
        for run in self._run(["ana"]):
            _say(f"  {_told(run)}")
        names = self._names(list(self._story.values()))
        _say(f"  in the store: {names[self._story['new']]}; {names[self._story['renamed']]}; ", end="")
        _say("the deleted one is gone" if self._story["deleted"] not in names else "the deleted one is STILL THERE")

    def lose_a_permission(self) -> None:
        """A grant revoked at Google, and what the operator sees."""
        _head("cyd takes the permission back at Google")
        account = self._google.world.account(USERS["cyd"][0])
        account.revoke_grants()
        for run in self._run(["cyd"]):
            _say(f"  {_told(run)}")
        with read(self._db) as tx:
            cyd = connections.get(tx, "cyd")
            kept = contacts.count(tx, "cyd")
        if cyd is not None:
            _say(f"  cyd is now {cyd.status}: the schedule pauses, {kept} contacts stay, nobody else is touched")
            _say("  healed by one command: contacts-sync connect cyd")

    def say_where_to_look(self) -> None:
        """The store stays, for the curious."""
        _head("Look around")
        prefix = f"contacts-sync --config {self._home}/config.toml"
        for words in ("status", "runs list", "contacts search Hopper", "schedule show"):
            _say(f"  {prefix} {words}")
        _say(f"  sqlite3 {self._home}/contacts-sync.db '{A_QUERY}'")
        _say(f"Remove it all with: rm -r {self._home}")

    def serve(self) -> None:
        """The daemon, in the foreground, until Ctrl-C; everybody is due every minute."""
        from contacts_sync.daemon.service import serve

        _head("The daemon runs, everybody is due each minute; Ctrl-C ends it")
        serve(lambda: self._config)

    # -- scenes

    def _connect(self, user: str, email: str) -> Run:
        self._google.consent.account = email
        with Listener() as listener:
            consent = begin(self._desk.oauth, listener.redirect_uri)
            browser = threading.Thread(target=lambda: urlopen(consent.url, timeout=20).close(), daemon=True)  # noqa: S310  (the sandbox's own loopback address)
            browser.start()
            code = listener.wait(consent, timedelta(seconds=20))
            browser.join()
        grant = exchange(self._desk.transport, self._desk.oauth, consent, code, now=_now())
        account = oauth.account(self._desk.transport, self._desk.oauth, grant)
        return connect(self._desk, user_id=user, grant=grant, account=account, schedule=None, switch_account=False)

    def _run(self, users: Sequence[str]) -> list[Run]:
        """What `run-now` does without a daemon: queue a run each (or find the queued one), carry them out."""
        with write(self._db) as tx:
            ids = [self._queued(tx, user).id for user in users]
        run_here(self._new_desk(), ids)
        with read(self._db) as tx:
            return [runs.require(tx, id_) for id_ in ids]

    def _queued(self, tx: Transaction, user: str) -> Run:
        run, _ = runs.enqueue(tx, user_id=user, kind=RunKind.INCREMENTAL, trigger=Trigger.MANUAL, now=_now())
        return run

    def _names(self, resource_names: Sequence[str]) -> dict[str, str]:
        with read(self._db) as tx:
            rows = contacts.listing(tx, "ana", limit=0)
        return {
            row.resource_name: logs.clean(row.display_name or "") for row in rows if row.resource_name in resource_names
        }

    def _new_desk(self) -> Desk:
        return open_desk(self._config, self._db, worker_id=new_worker_id(), clock=_now, stop=threading.Event())


def _told(run: Run) -> str:
    """One run in one line."""
    counts = run.counters
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else 0.0
    if run.status is not RunStatus.SUCCEEDED:
        return f"{run.user_id:<4} {run.kind} sync {run.status}: {run.error_type}: {run.error_message}"
    return (
        f"{run.user_id:<4} {run.kind} sync in {seconds:.2f} s: {counts.contacts_imported} imported, "
        f"{counts.contacts_updated} updated, {counts.contacts_deleted} deleted; "
        f"labels: {counts.groups_imported} imported, {counts.groups_updated} updated, {counts.groups_deleted} deleted"
    )


def _head(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _say(text: str, *, end: str = "\n") -> None:
    click.echo(text, nl=end == "\n")


def _now() -> datetime:
    return datetime.now(UTC)
