"""A user's access token: opened, refreshed before it dies, renewed once when Google refuses it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from contacts_sync import logs, vault
from contacts_sync.errors import (
    AccessTokenRejected,
    GrantRejected,
    KeyProblem,
    LeaseLost,
    OperatorTrouble,
    UnreadableGrant,
    typed,
)
from contacts_sync.google import grants, oauth
from contacts_sync.model import Grant, Run, SealedGrant
from contacts_sync.store import connections, runs
from contacts_sync.store.engine import read, write
from contacts_sync.sync import reauth
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.keycheck import refuse_wrong_key

Answer = TypeVar("Answer")


class Access:
    """The grant of one run's user. Every new token is stored, under the run's fence, before its first use."""

    def __init__(self, desk: Desk, run: Run, sealed: SealedGrant | None) -> None:
        self._desk = desk
        self._run = run
        self._sealed = self._present(sealed)
        self._grant = self._open(self._sealed)

    def call(self, request: Callable[[str], Answer]) -> Answer:
        """Answer of `request(access_token)`: a 401 leads to the same request with the token that somebody else has
        stored meanwhile, else, or if that is refused too, to one refresh and the same request again.

        Raises `GrantRejected` if the fresh token is refused too.
        """
        self.refresh_if_due()
        try:
            return request(self._grant.access_token)
        except AccessTokenRejected:
            refreshed_elsewhere = self._take_newer()
        if refreshed_elsewhere:
            with suppress(AccessTokenRejected):
                return request(self._grant.access_token)
        self._refresh()
        try:
            return request(self._grant.access_token)
        except AccessTokenRejected as error:
            raise GrantRejected(
                "Google refuses a fresh access token", hint=f"contacts-sync connect {typed(self._run.user_id)}"
            ) from error

    def refresh_if_due(self) -> None:
        """Get another access token if the present one dies soon."""
        if oauth.needs_refresh(self._grant, self._desk.clock()):
            self._refresh()

    def _refresh(self) -> None:
        try:
            fresh = grants.refresh(
                self._desk.transport,
                self._desk.oauth,
                self._grant,
                account=self._sealed.account,
                now=self._desk.clock(),
            )
        except GrantRejected as refused:
            if not self._take_newer():
                raise self._explained(refused) from refused
        else:
            self._keep(fresh)

    def _explained(self, refused: GrantRejected) -> GrantRejected:
        with read(self._desk.db) as tx:
            connection = connections.get(tx, self._run.user_id)
            last_success_at = connections.sync_state(tx, self._run.user_id).last_success_at
        if connection is None:
            return refused
        why = reauth.cause(refused, self._grant, connection.connected_at, last_success_at, self._desk.clock())
        return type(refused)(why, hint=f"contacts-sync connect {typed(self._run.user_id)}")

    def _keep(self, fresh: Grant) -> None:
        remember(fresh)
        sealed = vault.seal_grant(self._desk.vault, self._run.user_id, fresh)
        rotated = fresh.refresh_token != self._grant.refresh_token  # an access token can be had again
        with write(self._desk.db, durable=rotated) as tx:
            runs.hold(tx, self._run, self._desk.worker_id, self._desk.clock(), self._desk.lease)
            kept = connections.replace_grant(tx, self._sealed, sealed)
        if kept:
            self._sealed, self._grant = replace(self._sealed, sealed=sealed, version=self._sealed.version + 1), fresh
        else:
            self._take_newer()

    def _take_newer(self) -> bool:
        """A `connect` may have stored another grant meanwhile: use that one."""
        newer = self._load()
        if newer.version == self._sealed.version:
            return False
        self._sealed, self._grant = newer, self._open(newer)
        return True

    def _load(self) -> SealedGrant:
        with read(self._desk.db) as tx:
            return self._present(connections.sealed_grant(tx, self._run.user_id))

    def _present(self, sealed: SealedGrant | None) -> SealedGrant:
        if sealed is None:
            raise LeaseLost(f"user {self._run.user_id!r} has been disconnected")
        return sealed

    def _open(self, sealed: SealedGrant) -> Grant:
        """A key file that opens nobody's tokens is the operator's trouble, not this user's."""
        try:
            grant = vault.open_grant(self._desk.vault, self._run.user_id, sealed.sealed)
        except UnreadableGrant:
            self._blame_the_key()
            raise
        except KeyProblem as problem:
            raise OperatorTrouble(problem.message, hint=problem.hint) from problem
        remember(grant)
        return grant

    def _blame_the_key(self) -> None:
        try:
            refuse_wrong_key(self._desk.db, self._desk.key_file)
        except KeyProblem as problem:
            raise OperatorTrouble(problem.message, hint=problem.hint) from problem


def remember(grant: Grant) -> None:
    """Tell the logs which values must never appear in them."""
    logs.remember(grant.access_token)
    logs.remember(grant.refresh_token)
