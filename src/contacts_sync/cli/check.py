"""`contacts-sync check`: everything that can be wrong, looked at, one line each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, now, pass_frame
from contacts_sync.errors import ContactsSyncError, KeyProblem, UnreadableGrant

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import SealedGrant
    from contacts_sync.store.engine import Database
    from contacts_sync.vault import Vault

LARGEST_SKEW_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    name: str
    ok: bool
    message: str


@click.command("check")
@json_option
@pass_frame
def command(frame: Frame, as_json: bool) -> int:
    """Check configuration, store, key, credentials, Google, clock and daemon: a line each, pass or fail.

    Example: contacts-sync check
    """
    from contacts_sync.cli.output import print_json, say

    findings = list(_findings(frame))
    ok = all(finding.ok for finding in findings)
    if as_json:
        listed = [{"name": one.name, "ok": one.ok, "message": one.message} for one in findings]
        print_json({"ok": ok, "checks": listed})
    else:
        for one in findings:
            say(f"{'pass' if one.ok else 'FAIL'}  {one.name}: {one.message}")
    return 0 if ok else 1


def _findings(frame: Frame) -> Iterator[Finding]:
    try:
        config = frame.config()
    except ContactsSyncError as error:
        yield _failed("config", error)
        return
    yield Finding("config", ok=True, message=str(config.source or "no file: defaults and environment"))
    yield _looked("key", lambda: _key(config))
    yield _looked("credentials", lambda: _credentials(config))
    yield from _google(config)
    try:
        with frame.store(config) as db:
            yield from _in_store(config, db)
    except ContactsSyncError as error:
        yield _failed("store", error)
        yield Finding("schema", ok=False, message="not looked at: the store doesn't open")


def _looked(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, message=look())
    except ContactsSyncError as error:
        return _failed(name, error)


def _failed(name: str, error: ContactsSyncError) -> Finding:
    hint = f" (next: {error.hint})" if error.hint else ""
    return Finding(name, ok=False, message="; ".join(error.message.splitlines()) + hint)


def _key(config: Config) -> str:
    from contacts_sync import vault

    vault.load_keys(config.secrets.key_file)
    return f"{config.secrets.key_file} is readable by its owner only"


def _credentials(config: Config) -> str:
    from contacts_sync.config import client_credentials

    return f"OAuth client {client_credentials(config).client_id}"


def _google(config: Config) -> Iterator[Finding]:
    """Google answers, and its clock and ours agree."""
    from contacts_sync.google.http import reach
    from contacts_sync.sync.desk import open_transport_for

    people = config.google.endpoints.people
    try:
        answer = reach(open_transport_for(config, threading.Event()), people)
    except ContactsSyncError as error:
        yield _failed("google", error)
        yield Finding("clock", ok=False, message="not looked at: there is no answer to compare with")
        return
    yield Finding("google", ok=True, message=f"{people} answers")
    yield _clock(answer.headers.get("Date", ""))


def _clock(date: str) -> Finding:
    from email.utils import parsedate_to_datetime

    try:
        skew = abs((parsedate_to_datetime(date).astimezone(UTC) - now()).total_seconds())
    except ValueError:
        return Finding("clock", ok=True, message="Google's answer has no time to compare with")
    told = f"{skew:.0f} s from Google's"
    if skew <= LARGEST_SKEW_SECONDS:
        return Finding("clock", ok=True, message=told)
    return Finding("clock", ok=False, message=f"{told} (next: set the clock, such as: timedatectl set-ntp true)")


def _in_store(config: Config, db: Database) -> Iterator[Finding]:
    yield Finding("store", ok=True, message=f"{config.database.url} opens" if db.path else "the database opens")
    yield Finding("schema", ok=True, message=f"revision {_revision(db)}, the newest")
    yield _tokens(config, db)
    yield _daemon(config, db)
    yield from _project(db)


def _revision(db: Database) -> str | None:
    from contacts_sync.store import migrate

    return migrate.current(db)


def _tokens(config: Config, db: Database) -> Finding:
    from contacts_sync import vault
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    try:
        keys = vault.load_keys(config.secrets.key_file)
    except KeyProblem as error:
        return _failed("tokens", error)
    with read(db) as tx:
        grants = connections.every_grant(tx)
    closed = [grant.user_id for grant in grants if not _opens(keys, grant)]
    if not closed:
        return Finding("tokens", ok=True, message=f"all {len(grants)} open")
    hint = f"put the old key back into {config.secrets.key_file}, or: contacts-sync connect {closed[0]}"
    return Finding("tokens", ok=False, message=f"no key opens those of {', '.join(closed[:10])} (next: {hint})")


def _opens(keys: Vault, grant: SealedGrant) -> bool:
    from contacts_sync import vault

    try:
        vault.open_grant(keys, grant.user_id, grant.sealed)
    except UnreadableGrant:
        return False
    return True


def _daemon(config: Config, db: Database) -> Finding:
    from contacts_sync.daemon.liveness import alive
    from contacts_sync.store import nodes
    from contacts_sync.store.engine import read

    with read(db) as tx:
        known = [node for node in nodes.every(tx) if node.role == "daemon"]
    living = [node for node in known if alive(node, now(), config.daemon.heartbeat)]
    if living:
        return Finding("daemon", ok=True, message=f"alive, pid {living[0].pid} on {living[0].host}")
    message = "not running: scheduled syncs wait for one (systemctl start contacts-sync, or contacts-sync daemon)"
    return Finding("daemon", ok=True, message=message)


def _project(db: Database) -> Iterator[Finding]:
    """The operator's trouble, while there is some."""
    from contacts_sync.store import nodes
    from contacts_sync.store.engine import read

    with read(db) as tx:
        pause = nodes.pause(tx)
    if pause is not None:
        yield Finding("project", ok=False, message=f"{pause.message} (next: {pause.hint})")
