"""`connections`, `oauth_tokens` and `sync_states`: who is linked to which Google account, and how it goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, func, select, update

from contacts_sync.model import Account, Connection, ConnectionStatus, OwnSchedule, SealedGrant
from contacts_sync.store import dialect, interval_schedules, tables
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.run_queue import cancel
from contacts_sync.store.states import clear, every_sync_state, sync_state
from contacts_sync.store.tables import IS_RUNNING, contact_groups, contacts, is_of, oauth_tokens, sync_runs
from contacts_sync.store.transactions import Transaction

__all__ = [
    "account_is_shared",
    "change_version",
    "connect",
    "contact_counts",
    "count",
    "disconnect",
    "every",
    "every_grant",
    "every_sync_state",
    "get",
    "needs_reauth",
    "own_schedule",
    "purge",
    "replace_grant",
    "sealed_grant",
    "set_schedule",
    "sync_state",
    "wipe_contacts",
]

table = tables.connections
KEPT = [table.c[name] for name in Connection.__slots__]
STATUS = Connection.__slots__.index("status")
AT_ONCE = 500  # sealed grants in memory
REPLACING = Prepared(
    update(oauth_tokens)
    .where(
        oauth_tokens.c.user_id == bindparam("of_user"),
        oauth_tokens.c.version == bindparam("known_version"),
        oauth_tokens.c.sealed == bindparam("known_sealed"),
    )
    .values(sealed=bindparam("fresh"), version=oauth_tokens.c.version + 1)
)
GRANT = (*oauth_tokens.c, table.c.google_sub)  # of a `SealedGrant`
GRANTS: Select[Any] = select(*GRANT).join(table)
GRANT_OF_USER = Prepared(GRANTS.where(oauth_tokens.c.user_id == bindparam("of_user")))

# -- reading


def get(tx: Transaction, user_id: str) -> Connection | None:
    """A user's connection, whatever its status."""
    return next(iter(every(tx, user_id)), None)


def every(tx: Transaction, user_id: str | None = None) -> list[Connection]:
    """All connections (of one user, if given), the disconnected among them, by user id."""
    rows = tx.execute(select(*KEPT).where(is_of(table, user_id)).order_by(table.c.user_id)).all()
    return [_connection(row) for row in rows]


def _connection(row: Row[Any]) -> Connection:
    values = list(row)
    values[STATUS] = ConnectionStatus(values[STATUS])
    return Connection(*values)


def own_schedule(tx: Transaction, user_id: str) -> OwnSchedule | None:
    """What the user has instead of the configured schedule; None for nobody's."""
    connection, present = get(tx, user_id), interval_schedules.get(tx, user_id)
    bounds = present.bounds if present else None
    return OwnSchedule(connection.cron, connection.timezone, bounds) if connection else None


def account_is_shared(tx: Transaction, user_id: str, sub: str) -> bool:
    """True if another user is linked to the same Google account."""
    others = select(table.c.user_id).where(
        table.c.google_sub == sub, table.c.user_id != user_id, table.c.status != ConnectionStatus.DISCONNECTED
    )
    return tx.execute(others.limit(1)).first() is not None


def contact_counts(tx: Transaction, user_id: str | None = None) -> dict[str, int]:
    """How many contacts each user (or the given one) has."""
    by_user = select(contacts.c.user_id, func.count()).where(is_of(contacts, user_id)).group_by(contacts.c.user_id)
    rows = tx.execute(by_user)
    return {row[0]: row[1] for row in rows}


def count(tx: Transaction) -> int:
    """How many connections there are, the disconnected among them: rows deleted by hand change no version."""
    return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def change_version(tx: Transaction) -> int:
    """A number that grows whenever a connection or a schedule changes."""
    return int(tx.execute(select(tables.store.c.change_version)).scalar_one())


# -- linking


def connect(
    tx: Transaction,
    *,
    user_id: str,
    account: Account,
    sealed: str,
    schedule: OwnSchedule | None,
    now: datetime,
    onboarding: bool = False,
) -> None:
    """Link a user to a Google account, or renew the link.

    A `schedule` of None keeps what the user has. With `onboarding` a user who wasn't linked is due hourly for a day.
    The sync state is reset, and so are the contacts' etags: the next full sync compares everything.
    """
    known, present = get(tx, user_id), own_schedule(tx, user_id)
    is_new = known is None or known.status is ConnectionStatus.DISCONNECTED
    bounds = schedule.bounds if schedule is not None else present.bounds if present else None
    values = {
        "google_account": account.email,
        "google_sub": account.sub,
        "status": ConnectionStatus.CONNECTED,
        "connected_at": now,
        "disconnected_at": None,
        "reauth_reason": None,
        "scheduled_since": now,
        **({"cron": schedule.cron, "timezone": schedule.timezone} if schedule is not None else {}),
    }
    tx.execute(
        dialect.upsert(tx, table)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
    clear(tx, user_id)
    tx.execute(update(contacts).where(contacts.c.user_id == user_id).values(etag=None))
    interval_schedules.begin(tx, user_id, bounds, now=now, first_day=onboarding and is_new)
    _keep_grant(tx, user_id, sealed)
    _bump(tx)


def _keep_grant(tx: Transaction, user_id: str, sealed: str) -> None:
    tx.execute(
        dialect.upsert(tx, oauth_tokens)
        .values(user_id=user_id, sealed=sealed, version=1)
        .on_conflict_do_update(
            index_elements=["user_id"], set_={"sealed": sealed, "version": oauth_tokens.c.version + 1}
        )
    )


def set_schedule(tx: Transaction, user_id: str, schedule: OwnSchedule, *, now: datetime) -> bool:
    """Give a user another schedule from now on; False for nobody's."""
    values = {"cron": schedule.cron, "timezone": schedule.timezone, "scheduled_since": now}
    mine = update(table).where(table.c.user_id == user_id).values(values)
    status = tx.execute(mine.returning(table.c.status)).scalar()
    if status is not None:
        interval_schedules.begin(tx, user_id, schedule.bounds, now=now)
    if status == ConnectionStatus.NEEDS_REAUTH:
        interval_schedules.pause(tx, user_id)
    _bump(tx)
    return status is not None


def needs_reauth(tx: Transaction, user_id: str, reason: str) -> None:
    """The user's grant is dead: nothing runs until the user connects again."""
    is_linked = (table.c.user_id == user_id) & (table.c.status == ConnectionStatus.CONNECTED)
    tx.execute(update(table).where(is_linked).values(status=ConnectionStatus.NEEDS_REAUTH, reauth_reason=reason))
    interval_schedules.pause(tx, user_id)
    _bump(tx)


# -- tokens


def sealed_grant(tx: Transaction, user_id: str) -> SealedGrant | None:
    """A user's tokens, sealed."""
    row = GRANT_OF_USER.row(tx, of_user=user_id)
    return SealedGrant(*row) if row else None


def every_grant(tx: Transaction) -> Iterator[SealedGrant]:
    """Everybody's tokens, sealed, by user id; read as they are taken, as long as the transaction is open."""
    query = GRANTS.order_by(oauth_tokens.c.user_id)
    with tx.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:  # closed if left early
        for row in rows:
            yield SealedGrant(*row)


def replace_grant(tx: Transaction, old: SealedGrant, sealed: str) -> bool:
    """Replace exactly the grant that was read before; False if it was replaced or removed meanwhile."""
    known = {"of_user": old.user_id, "known_version": old.version, "known_sealed": old.sealed}
    return REPLACING.change(tx, **known, fresh=sealed) == 1


# -- unlinking


def disconnect(tx: Transaction, user_id: str, now: datetime) -> None:
    """Cut the link. Contacts stay, with their ids; tokens, schedule and sync state go.

    Runs are cancelled first: that waits for a page that is being written, and lets no later one in.
    """
    cancel(tx, user_id, now)
    tx.execute(delete(oauth_tokens).where(oauth_tokens.c.user_id == user_id))
    tx.execute(
        update(table)
        .where(table.c.user_id == user_id)
        .values(
            status=ConnectionStatus.DISCONNECTED,
            disconnected_at=now,
            cron=None,
            timezone=None,
            reauth_reason=None,
        )
    )
    interval_schedules.forget(tx, user_id)
    clear(tx, user_id)
    tx.execute(update(contacts).where(contacts.c.user_id == user_id).values(etag=None, synced_at=None))
    tx.execute(update(contact_groups).where(contact_groups.c.user_id == user_id).values(synced_at=None))
    _bump(tx)


def wipe_contacts(tx: Transaction, user_id: str) -> None:
    """Remove a user's contacts and groups, also those of a page that is being written just now."""
    tx.execute(select(sync_runs.c.id).where(sync_runs.c.user_id == user_id, IS_RUNNING).with_for_update())
    tx.execute(delete(contacts).where(contacts.c.user_id == user_id))
    tx.execute(delete(contact_groups).where(contact_groups.c.user_id == user_id))
    tx.execute(delete(tables.unreadable_contacts).where(tables.unreadable_contacts.c.user_id == user_id))


def purge(tx: Transaction, user_id: str) -> None:
    """Remove everything about a user, the history of runs too."""
    wipe_contacts(tx, user_id)
    tx.execute(delete(sync_runs).where(sync_runs.c.user_id == user_id))
    tx.execute(delete(table).where(table.c.user_id == user_id))
    _bump(tx)


def _bump(tx: Transaction) -> None:
    tx.execute(update(tables.store).values(change_version=tables.store.c.change_version + 1))
    dialect.announce(tx)
