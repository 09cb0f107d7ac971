"""`contacts-sync check`: everything that can be wrong, looked at, one line each."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contacts_sync.cli.frame import Frame, json_option, open_desk, optional_user_argument, pass_frame
from contacts_sync.errors import ContactsSyncError

if TYPE_CHECKING:
    from contacts_sync.cli.findings import Finding
    from contacts_sync.config import Config
    from contacts_sync.sections import Web
    from contacts_sync.store.engine import Database


@click.command("check")
@optional_user_argument
@json_option
@pass_frame
def command(frame: Frame, user_id: str | None, as_json: bool) -> int:
    """Check configuration, store, keys, credentials, Google, clock, disk and daemon: a line each.

    `pass` is well, `warn` is worth knowing, `FAIL` must be mended and makes the exit code 1. With USER, the user's
    grant is renewed and used once, too.

    \b
    Examples: contacts-sync check
              contacts-sync check alice
    """
    from contacts_sync.cli.output import print_json, say

    findings = []
    for found in _findings(frame, user_id):
        findings.append(found)
        if not as_json:
            say(found.line)
    ok = all(found.ok for found in findings)
    if as_json:
        print_json({"ok": ok, "checks": [found.document for found in findings]})
    return 0 if ok else 1


def _findings(frame: Frame, user_id: str | None) -> Iterator[Finding]:
    from contacts_sync.cli.check_google import google_findings
    from contacts_sync.cli.check_host import host_findings
    from contacts_sync.cli.check_telling import telling_findings
    from contacts_sync.cli.findings import failed, looked, passed

    try:
        config = frame.config()
    except ContactsSyncError as error:
        yield failed("config", error)
        return
    yield _config(config)
    yield looked("key", lambda: _key(config))
    if config.web.listen:
        yield looked("web", lambda: _web(config.web))
    yield from telling_findings(config)
    yield from google_findings(config)
    yield from host_findings(config)
    with ExitStack() as stack:
        try:
            db = stack.enter_context(frame.store(config))
        except ContactsSyncError as error:
            yield from _without_store(config, error)
        else:
            yield passed("store", f"{config.database.url} opens" if db.path else "the database opens")
            yield from _in_store(config, db, user_id)


def _without_store(config: Config, error: ContactsSyncError) -> Iterator[Finding]:
    from contacts_sync.cli.findings import failed
    from contacts_sync.oauth_client import has_client

    yield failed("store", error)
    yield failed("schema", ContactsSyncError("not looked at: the store doesn't open"))
    if not has_client(config):
        yield _no_client(config)


def _no_client(config: Config) -> Finding:
    from contacts_sync.cli.findings import looked
    from contacts_sync.oauth_client import client_credentials

    return looked("credentials", lambda: client_credentials(config).client_id)


def _config(config: Config) -> Finding:
    from contacts_sync.cli.findings import passed, warned

    source = config.source
    if source and config.google.client_secret and _is_open_to_others(source):
        return warned("config", f"{source} holds a client secret and is readable by others", f"chmod 600 {source}")
    if source and source.stat().st_mode & stat.S_IWGRP:
        return warned(
            "config", f"the group of {source} may write to it, and so choose where tokens go", f"chmod g-w {source}"
        )
    return passed("config", str(source or "no file: defaults and environment"))


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def _key(config: Config) -> str:
    from contacts_sync import vault

    vault.load_keys(config.secrets.key_file)
    return f"{config.secrets.key_file} is readable by its owner only"


def _web(web: Web) -> str:
    from contacts_sync.web.guard import read_password

    if web.password_file is None:
        return "the dashboard asks for no password: it answers this machine only"
    read_password(web.password_file)
    return f"the dashboard asks for the password in {web.password_file}"


def _in_store(config: Config, db: Database, user_id: str | None) -> Iterator[Finding]:
    from contacts_sync.cli.check_store import needs_no_client, store_findings, user_finding
    from contacts_sync.cli.check_telling import ping_finding
    from contacts_sync.cli.findings import passed
    from contacts_sync.cli.frame import linked
    from contacts_sync.oauth_client import has_client
    from contacts_sync.store.engine import read

    if user_id is not None:
        with read(db) as tx:
            linked(tx, user_id)
    yield from store_findings(config, db)
    yield from ping_finding(config, db)
    if not has_client(config) and needs_no_client(config, db):
        yield passed("credentials", "no OAuth client, and none is needed: all users have service accounts")
    elif not has_client(config):
        yield _no_client(config)
    if user_id is not None:
        yield user_finding(open_desk(config, db), user_id)
