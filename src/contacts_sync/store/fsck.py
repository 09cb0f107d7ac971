"""Looking for what must not be in a store: each rule counts the rows that break it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, exists, func, or_, select

from contacts_sync import intervals
from contacts_sync.errors import StoreUnusable
from contacts_sync.model import ConnectionStatus, RunStatus
from contacts_sync.store import dialect, trouble
from contacts_sync.store.shared_clock import asked
from contacts_sync.store.tables import (
    IS_RUNNING,
    connections,
    contact_emails,
    contact_group_members,
    contact_groups,
    contact_phones,
    contacts,
    interval_schedules,
    oauth_tokens,
    sync_runs,
    sync_states,
)
from contacts_sync.store.transactions import Transaction

Count = Select[Any]
PATIENCE_SECONDS = 3.0  # a daemon that starts looks for so long; `contacts-sync db check` looks to the end


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that the store breaks, `count` times, and what mends it."""

    rule: str
    count: int
    cure: str


RECONNECT = "contacts-sync connect USER, for those that `contacts-sync status` names"
RESCHEDULE = "contacts-sync schedule set USER, for those that `contacts-sync schedule show` names"
FULL_SYNC = "contacts-sync run-now --full USER"
WAIT = "nothing while a daemon runs: it takes them back; else contacts-sync run-now --all"
REPORT = "please report this, and contacts-sync run-now --all --full"


def breaches(tx: Transaction, now: datetime) -> Iterator[Breach]:
    """Everything that is wrong with an open store; nothing if it is sound."""
    damage = dialect.damage(tx)
    if damage:
        yield Breach(f"the database is whole ({damage[0]})", len(damage), "restore the store from a backup")
    for rule, count, cure in _rules(asked(tx, now)):
        found = tx.execute(count).scalar_one()
        if found:
            yield Breach(rule, found, cure)


def refuse_damaged(tx: Transaction) -> None:
    """Raise `StoreUnusable` for a file that is seen at once to be broken."""
    damage = dialect.first_damage(tx, PATIENCE_SECONDS)
    if damage is not None:
        raise StoreUnusable(f"the store is damaged ({damage.splitlines()[-1]})", hint=trouble.RESTORE)


def _rules(now: datetime) -> Iterator[tuple[str, Count, str]]:
    linked = connections.c.status == ConnectionStatus.CONNECTED
    has_token = exists().where(oauth_tokens.c.user_id == connections.c.user_id)
    cut = connections.c.status == ConnectionStatus.DISCONNECTED
    yield "who is connected has a token", _count(connections, linked & ~has_token), RECONNECT
    yield "who is disconnected has none", _count(connections, cut & has_token), "contacts-sync disconnect USER"
    yield "no run outlives its lease", _count(sync_runs, IS_RUNNING & (sync_runs.c.lease_expires_at < now)), WAIT
    yield "a running run has a worker and a lease", _count(sync_runs, IS_RUNNING & _is_unheld()), WAIT
    ended = sync_runs.c.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED))
    yield "an ended run has its end", _count(sync_runs, ended & sync_runs.c.finished_at.is_(None)), REPORT
    late = sync_runs.c.finished_at < sync_runs.c.started_at
    yield "no run ends before it starts", _count(sync_runs, late), "set the clock right"
    unexplained = (sync_runs.c.status == RunStatus.FAILED) & sync_runs.c.error_type.is_(None)
    yield "a failed run says why", _count(sync_runs, unexplained), REPORT
    tokenless = and_(sync_states.c.last_success_at.is_(None), sync_states.c.contacts_sync_token.is_not(None))
    yield "a sync token comes from a success", _count(sync_states, tokenless), FULL_SYNC
    yield from _schedule_rules(linked)
    yield from _contact_rules()


def _schedule_rules(linked: ColumnElement[bool]) -> Iterator[tuple[str, Count, str]]:
    mine = interval_schedules.c.user_id == connections.c.user_id
    at_intervals = exists().where(mine, interval_schedules.c.interval_minutes.is_not(None))
    stopped = exists().where(mine, interval_schedules.c.next_slot_at.is_(None))
    twice = connections.c.cron.is_not(None) & at_intervals
    yield "nobody is due by crontab and at intervals", _count(connections, twice), RESCHEDULE
    minutes = interval_schedules.c.interval_minutes
    nonsense = minutes.is_not(None) & ~minutes.between(1, intervals.LONGEST // timedelta(minutes=1))
    yield "an interval is some minutes up to 31 days", _count(interval_schedules, nonsense), RESCHEDULE
    never = linked & at_intervals & stopped
    yield "who is connected and due at intervals has a next slot", _count(connections, never), RESCHEDULE


def _contact_rules() -> Iterator[tuple[str, Count, str]]:
    known = exists().where(connections.c.user_id == contacts.c.user_id)
    yield "contacts belong to a user", _count(contacts, ~known), REPORT
    unnamed = or_(contacts.c.resource_name == "", contacts.c.resource_name.startswith("moving/", autoescape=True))
    yield "a contact has Google's name", _count(contacts, unnamed), FULL_SYNC
    for values in (contact_emails, contact_phones):
        orphan = ~exists().where(contacts.c.id == values.c.contact_id)
        yield f"{values.name} belong to a contact", _count(values, orphan), REPORT
    joined = (
        select(func.count())
        .select_from(contact_group_members)
        .join(contacts, contacts.c.id == contact_group_members.c.contact_id)
        .join(contact_groups, contact_groups.c.id == contact_group_members.c.group_id)
        .where(contacts.c.user_id != contact_groups.c.user_id)
    )
    yield "nobody wears another user's label", joined, FULL_SYNC
    words = contacts.c.search_text == ""
    named = contacts.c.display_name.is_not(None) & (contacts.c.display_name != "")
    yield "a named contact can be found", _count(contacts, words & named & _has_letters()), FULL_SYNC


def _count(table: Table, condition: ColumnElement[bool]) -> Count:
    return select(func.count()).select_from(table).where(condition)


def _is_unheld() -> ColumnElement[bool]:
    return sync_runs.c.worker_id.is_(None) | sync_runs.c.lease_expires_at.is_(None)


def _has_letters() -> ColumnElement[bool]:
    """Names of signs alone leave no words."""
    return func.lower(contacts.c.display_name) != func.upper(contacts.c.display_name)
