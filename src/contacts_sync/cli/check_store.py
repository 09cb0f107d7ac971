"""Looks into the store: schema, tokens, schedules, the queue, the daemon; and at one user's grant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

from contacts_sync import vault
from contacts_sync.cli.findings import Finding, Level, failed, looked, passed, warned
from contacts_sync.cli.frame import now
from contacts_sync.cli.hands import daemon_lives
from contacts_sync.cli.output import instant
from contacts_sync.cli.timing import default_schedule
from contacts_sync.config import Config
from contacts_sync.daemon.agenda import next_run
from contacts_sync.daemon.liveness import alive
from contacts_sync.daemon.reconcile import effective
from contacts_sync.errors import KeyProblem, UnreadableGrant, typed
from contacts_sync.model import ConnectionStatus, SealedGrant
from contacts_sync.store import connections, deliveries, interval_schedules, migrate, nodes, runs, shared_clock
from contacts_sync.store.engine import Database, read
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.livecheck import try_grant

MOST_NAMES = 10
OVERDUE = timedelta(minutes=10)


def store_findings(config: Config, db: Database) -> Iterator[Finding]:
    """Everything in the store that can be wrong."""
    yield passed("schema", f"revision {migrate.current(db)}, the newest")
    yield from _tokens(config, db)
    yield _consents(db)
    yield _schedules(config, db)
    yield _daemon(config, db)
    yield from _queue(config, db)
    yield from _project(db)
    yield from _undelivered(db)


def needs_no_client(config: Config, db: Database) -> bool:
    """True if there are users, and all of them are connected by service accounts."""
    with read(db) as tx:
        grants = list(connections.every_grant(tx))
    try:
        keys = vault.load_keys(config.secrets.key_file)
        opened = [vault.open_grant(keys, grant.user_id, grant.sealed) for grant in grants]
    except (KeyProblem, UnreadableGrant):
        return False
    return bool(opened) and all(grant.service_account for grant in opened)


def _tokens(config: Config, db: Database) -> Iterator[Finding]:
    try:
        keys = vault.load_keys(config.secrets.key_file)
    except KeyProblem as error:
        yield failed("tokens", error)
        return
    with read(db) as tx:
        grants = list(connections.every_grant(tx))
    closed = [grant.user_id for grant in grants if not _opens(keys, grant)]
    if closed:
        hint = f"put the old key back into {config.secrets.key_file}, or: contacts-sync connect {typed(closed[0])}"
        yield Finding("tokens", Level.FAIL, f"no key opens those of {_names(closed)}", hint)
        return
    yield passed("tokens", f"all {len(grants)} open")
    if keys.spare:
        yield _rotation(config, sum(not keys.is_current(grant.sealed) for grant in grants))


def _rotation(config: Config, old: int) -> Finding:
    if old:
        return warned("rotation", f"{old} tokens are still sealed with an older key", "contacts-sync key rotate")
    return warned(
        "rotation",
        "every token is sealed with the first key",
        f"remove the older keys from {config.secrets.key_file}, once no backup needs them",
    )


def _opens(keys: vault.Vault, grant: SealedGrant) -> bool:
    try:
        vault.open_grant(keys, grant.user_id, grant.sealed)
    except UnreadableGrant:
        return False
    return True


def _consents(db: Database) -> Finding:
    with read(db) as tx:
        known = connections.every(tx)
    needy = [one.user_id for one in known if one.status is ConnectionStatus.NEEDS_REAUTH]
    if needy:
        return warned("users", f"{_names(needy)} must consent again", f"contacts-sync connect {typed(needy[0])}")
    return passed("users", f"{sum(one.status is ConnectionStatus.CONNECTED for one in known)} connected")


def _schedules(config: Config, db: Database) -> Finding:
    """Every connected user has exactly one next run."""
    at, default = now(), default_schedule(config)
    with read(db) as tx:
        known = [one for one in connections.every(tx) if one.status is ConnectionStatus.CONNECTED]
        intervals = interval_schedules.every(tx)
    spread = config.schedule.spread
    planned = {
        one.user_id: next_run(one, effective(one, default), intervals.get(one.user_id), at, spread) for one in known
    }
    odd = [user for user, (_, why) in planned.items() if why is not None]
    broken = [user for user in odd if planned[user][0] is None]
    if broken:
        hint = f"contacts-sync schedule set --cron '0 2 * * *' {typed(broken[0])}"
        return Finding("schedules", Level.FAIL, f"{_names(broken)} will never be due", hint)
    if odd:
        hint = f"contacts-sync schedule set --cron '0 2 * * *' --timezone UTC {typed(odd[0])}"
        return warned("schedules", f"{_names(odd)} have a time zone that isn't known here: UTC holds instead", hint)
    first = min((due for due, _ in planned.values() if due is not None), default=None)
    return passed(
        "schedules", f"{len(planned)} users have a next run, the first at {instant(first)}" if first else "none"
    )


def _daemon(config: Config, db: Database) -> Finding:
    with read(db) as tx:
        known, at = [node for node in nodes.every(tx) if node.role == "daemon"], shared_clock.asked(tx, now())
    living = [node for node in known if alive(node, at, config.daemon.heartbeat)]
    if living:
        others = f", and {len(living) - 1} more" if len(living) > 1 else ""
        return passed("daemon", f"alive, pid {living[0].pid} on {living[0].host}{others}")
    return warned(
        "daemon",
        "not running: scheduled syncs wait for one",
        "systemctl start contacts-sync, or contacts-sync daemon",
    )


def _queue(config: Config, db: Database) -> Iterator[Finding]:
    """Runs that should long have begun, though there is a daemon to begin them."""
    with read(db) as tx:
        late = runs.overdue(tx, now() - OVERDUE)
    if late and daemon_lives(config, db):
        yield warned("queue", f"{late} runs have been due for more than 10 minutes", "raise sync.workers, or wait")


def _project(db: Database) -> Iterator[Finding]:
    """The operator's trouble, while there is some."""
    with read(db) as tx:
        pause = nodes.pause(tx)
    if pause is not None:
        yield Finding("project", Level.FAIL, pause.message, pause.hint)


def _undelivered(db: Database) -> Iterator[Finding]:
    """Messages that were tried in vain."""
    with read(db) as tx:
        waiting = deliveries.backlog(tx)
    if waiting.failing:
        told = f"{waiting.failing} undelivered since {instant(waiting.since)}: {waiting.error}"
        yield warned("deliveries", told, "contacts-sync alerts test")


def user_finding(desk: Desk, user_id: str) -> Finding:
    """One live refresh and one People call with a user's grant."""

    def tried() -> str:
        began = time.monotonic()
        try_grant(desk, user_id)
        return f"{user_id}: the grant was renewed and People answers, in {time.monotonic() - began:.1f} s"

    return looked("grant", tried)


def _names(users: Sequence[str]) -> str:
    more = f" and {len(users) - MOST_NAMES} more" if len(users) > MOST_NAMES else ""
    return ", ".join(users[:MOST_NAMES]) + more
