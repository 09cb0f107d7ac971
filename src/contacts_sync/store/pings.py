"""`pings`: what the dead man's switch is told. Whoever changes the row does what follows from it; nobody else does."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from contacts_sync.model import Ping, Step
from contacts_sync.store import dialect
from contacts_sync.store.health import Sign, Yardstick, everybody
from contacts_sync.store.tables import IS_ACTIVE, pings, sync_runs, sync_states
from contacts_sync.store.transactions import Transaction

COLUMNS = [pings.c[name] for name in Ping.__slots__]


def latest(tx: Transaction) -> Ping | None:
    """What was told last, or is being told."""
    row = tx.execute(select(*COLUMNS)).mappings().first()
    return Ping(**{**row, "step": Step(row["step"])}) if row else None


def begin(tx: Transaction, before: Ping | None, round_at: datetime, summary: str, now: datetime) -> bool:
    """A round begins; False if somebody else was first. `before`: what was told last."""
    values = {"round_at": round_at, "begun_at": now, **_untold(Step.START, summary, now)}
    if before is None:
        first = dialect.upsert(tx, pings).values(id=1, **values).on_conflict_do_nothing().returning(pings.c.id)
        return tx.execute(first).first() is not None
    return tx.execute(update(pings).where(_is(before)).values(values)).rowcount == 1


def finish(tx: Transaction, begun: Ping, step: Step, summary: str, now: datetime) -> bool:
    """A round has ended; False if somebody else was first, or tells of its beginning just now."""
    silent = or_(pings.c.delivered_at.is_not(None), pings.c.trouble.is_not(None), pings.c.next_try_at <= now)
    return tx.execute(update(pings).where(_is(begun), silent).values(_untold(step, summary, now))).rowcount == 1


def _untold(step: Step, summary: str, now: datetime) -> dict[str, object]:
    return {
        "step": step,
        "summary": summary,
        "attempts": 0,
        "next_try_at": now,
        "delivered_at": None,
        "trouble": None,
    }


def take(tx: Transaction, now: datetime, lease: timedelta) -> Ping | None:
    """What is to be told now; for as long as the lease nobody else gets it. None if there is nothing."""
    due = pings.c.delivered_at.is_(None) & (pings.c.next_try_at <= now)
    taken = {"next_try_at": now + lease, "attempts": pings.c.attempts + 1, "trouble": None}
    return latest(tx) if tx.execute(update(pings).where(due).values(taken)).rowcount == 1 else None


def delivered(tx: Transaction, told: Ping, now: datetime) -> None:
    """It has been told."""
    tx.execute(update(pings).where(_is(told)).values(delivered_at=now, trouble=None))


def failed(tx: Transaction, told: Ping, trouble: str, next_try_at: datetime) -> None:
    """It could not be told, and why; it is to be tried again."""
    tx.execute(update(pings).where(_is(told)).values(trouble=trouble, next_try_at=next_try_at))


def _is(known: Ping) -> ColumnElement[bool]:
    return (pings.c.round_at == known.round_at) & (pings.c.step == known.step)


def unsettled(tx: Transaction, by: Yardstick) -> int:
    """How many users have neither a success since their slot nor an end of the run that stands for it."""
    seen = everybody(tx, by)
    under_way = seen.c.user_id.in_(select(sync_runs.c.user_id).where(IS_ACTIVE))
    not_queued = or_(sync_states.c.queued_until.is_(None), sync_states.c.queued_until < seen.c.due_at)
    query = (
        select(func.count())
        .select_from(seen.outerjoin(sync_states, sync_states.c.user_id == seen.c.user_id))
        .where(seen.c.signs.bitwise_and(int(Sign.OVERDUE)) > 0, or_(under_way, not_queued))
    )
    return tx.execute(query).scalar_one()
