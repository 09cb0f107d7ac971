"""Connecting a user to a Google account, and disconnecting: the two operations that touch grant, store and Google."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from contacts_sync import logs, vault
from contacts_sync.errors import (
    ConsentFailed,
    ContactsSyncError,
    PassingTrouble,
    SyncError,
    UnknownUser,
    UnreadableGrant,
)
from contacts_sync.google import oauth, people
from contacts_sync.model import Account, Connection, ConnectionStatus, Grant, OwnSchedule, Run, RunKind, Trigger
from contacts_sync.store import connections, contacts, runs
from contacts_sync.store.engine import Transaction, read, write
from contacts_sync.sync.access import remember
from contacts_sync.sync.desk import Desk

log = logs.get_logger()

PATIENCE = timedelta(seconds=3)  # for Google to be reached and, twice that, to confirm a revocation: below 10 s in all


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What a disconnect did. `notice` says why a grant was left alive at Google."""

    user_id: str
    revoked: bool
    notice: str | None
    contacts_kept: int


def connect(
    desk: Desk,
    *,
    user_id: str,
    grant: Grant,
    account: Account,
    schedule: OwnSchedule | None,
    switch_account: bool,
) -> Run:
    """Store a fresh grant and queue the user's full sync, all or nothing; the answer is the queued run.

    Raises `ConsentFailed` for another Google account than before (unless `switch_account`), and whatever one live
    People call finds wrong for good. A grant that isn't stored is revoked, so that nothing is left at Google.
    """
    remember(grant)
    try:
        grant = _preflight(desk, user_id, grant, account)
        with write(desk.db, durable=True) as tx:
            return _store(tx, desk, user_id, grant, account, schedule, switch_account=switch_account)
    except (ContactsSyncError, KeyboardInterrupt):
        _revoke_unstored(desk, user_id, grant, account)
        raise


def _preflight(desk: Desk, user_id: str, grant: Grant, account: Account) -> Grant:
    """One live refresh and one People call with the new grant; the answer is the grant as it is then.

    Passing trouble is left to the first sync and its retries.
    """
    try:
        if not grant.service_account:  # whose tokens come from the key alone, as this one just did
            grant = oauth.refresh(desk.transport, desk.oauth, grant, account=account.sub, now=desk.clock())
            remember(grant)
        people.fetch_groups(desk.people, grant.access_token, user_id=user_id)
    except PassingTrouble as trouble:
        log.warning("preflight_inconclusive", user=user_id, error=str(trouble))
    return grant


def _store(
    tx: Transaction,
    desk: Desk,
    user_id: str,
    grant: Grant,
    account: Account,
    schedule: OwnSchedule | None,
    *,
    switch_account: bool,
) -> Run:
    now = desk.clock()
    runs.cancel(tx, user_id, now)  # before anything else: it waits for a page that is being written
    known = connections.get(tx, user_id)
    if known is not None and not _is_same(known, account):
        _switch(tx, known, account, switch_account=switch_account)
    sealed = vault.seal_grant(desk.vault, user_id, grant)
    connections.connect(
        tx,
        user_id=user_id,
        account=account,
        sealed=sealed,
        schedule=schedule,
        now=now,
        onboarding=desk.onboarding,
    )
    run, _ = runs.enqueue(tx, user_id=user_id, kind=RunKind.FULL, trigger=Trigger.CONNECT, now=now)
    return run


def _is_same(known: Connection, account: Account) -> bool:
    """Google's stable id decides; a service account's subject is known by its e-mail address only."""
    if "@" in known.google_sub or "@" in account.sub:
        return known.google_account.casefold() == account.email.casefold()
    return known.google_sub == account.sub


def _switch(tx: Transaction, known: Connection, account: Account, *, switch_account: bool) -> None:
    if not switch_account:
        raise ConsentFailed(
            f"user {known.user_id!r} belongs to {known.google_account}, but {account.email} gave consent",
            hint=f"choose {known.google_account} in the browser, or replace its contacts with --switch-account",
        )
    connections.wipe_contacts(tx, known.user_id)


def _revoke_unstored(desk: Desk, user_id: str, grant: Grant, account: Account) -> None:
    """Google revokes an account for the whole project: only where no connected user needs it."""
    if grant.service_account:
        return
    with read(desk.db) as tx:
        known = connections.get(tx, user_id)
        mine = known is not None and known.google_sub == account.sub and _is_linked(known)
        needed = mine or connections.account_is_shared(tx, user_id, account.sub)
    if not needed:
        _revoke(desk, user_id, grant)


def _is_linked(connection: Connection) -> bool:
    return connection.status is not ConnectionStatus.DISCONNECTED


def disconnect(desk: Desk, user_id: str, *, keep_grant: bool, purge: bool) -> Disconnected:
    """Cut a user's link: after this returns no run writes a thing for the user.

    First the store (runs cancelled, tokens deleted, in one transaction), then Google, best effort.
    Raises `UnknownUser` if there is nothing to disconnect; a disconnected user may still be purged.
    """
    with read(desk.db) as tx:
        known = connections.get(tx, user_id)
        if known is None or not (purge or _is_linked(known)):
            raise UnknownUser(user_id)
        shared = connections.account_is_shared(tx, user_id, known.google_sub)
    grant = _stored_grant(desk, user_id)
    with write(desk.db, durable=True) as tx:
        connections.disconnect(tx, user_id, desk.clock())
        if purge:
            connections.purge(tx, user_id)
        kept = contacts.count(tx, user_id)
    revoked, notice = _revoke_unless_needed(desk, known, grant, keep_grant=keep_grant, shared=shared)
    return Disconnected(user_id, revoked, notice, kept)


def _stored_grant(desk: Desk, user_id: str) -> Grant | None:
    with read(desk.db) as tx:
        sealed = connections.sealed_grant(tx, user_id)
    if sealed is None:
        return None
    try:
        grant = vault.open_grant(desk.vault, user_id, sealed.sealed)
    except UnreadableGrant as unreadable:
        log.warning("grant_unreadable", user=user_id, error=str(unreadable))
        return None
    remember(grant)
    return grant


def _revoke_unless_needed(
    desk: Desk, known: Connection, grant: Grant | None, *, keep_grant: bool, shared: bool
) -> tuple[bool, str | None]:
    if keep_grant:
        return False, "the grant at Google was kept, as asked"
    if shared:
        return False, f"another user is connected to {known.google_account}: the grant at Google was kept"
    if grant is None:
        return False, "no readable token: remove the access at https://myaccount.google.com/permissions"
    if grant.service_account:
        return False, "a service account has no grant to revoke: remove its delegation in the Admin console"
    if _revoke(desk, known.user_id, grant):
        return True, None
    return False, "Google didn't confirm the revocation: see https://myaccount.google.com/permissions"


def _revoke(desk: Desk, user_id: str, grant: Grant) -> bool:
    """Best effort, and soon over: the operator waits for it."""
    connect_timeout, read_timeout = (
        min(usual, PATIENCE) for usual in (desk.transport.connect_timeout, desk.transport.read_timeout)
    )
    hurried = replace(desk.transport, connect_timeout=connect_timeout, read_timeout=read_timeout)
    try:
        return oauth.revoke(hurried, desk.oauth, grant.refresh_token)
    except SyncError as trouble:
        log.warning("revocation_failed", user=user_id, error=str(trouble))
        return False
