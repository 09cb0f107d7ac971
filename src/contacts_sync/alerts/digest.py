"""The digest: how everybody is, once a day or a week. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from contacts_sync import logs
from contacts_sync.alerts.messages import who
from contacts_sync.health.fleet import Fleet
from contacts_sync.health.verdicts import Health
from contacts_sync.health.words import number, share, span_of, stamp
from contacts_sync.sections import Alerts
from contacts_sync.store.alerts import Alert
from contacts_sync.store.deliveries import Level, Message
from contacts_sync.store.workload import Recent
from contacts_sync.timetable import compile_schedule

PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
DAYS = {"daily": "*", "weekly": "1"}  # of the week, as crontab has them


def latest_slot(settings: Alerts, timezone: str, now: datetime) -> datetime | None:
    """When the newest digest is from that should be written by now; None if none is wanted."""
    if settings.digest not in PERIODS:
        return None
    at = settings.digest_at
    timetable = compile_schedule(f"{at.minute} {at.hour} * * {DAYS[settings.digest]}", timezone)
    slot = timetable.latest(now, since=now - 2 * PERIODS["weekly"])
    return slot.at if slot else None


def digest(
    fleet: Fleet, recent: Recent, opened: Sequence[Alert], *, period: str, fresh_within: timedelta, host: str
) -> Message:
    """The headline, what was done in the period, and what is open."""
    causes = f"{len(opened)} cause{'s' if len(opened) != 1 else ''} open"
    title = f"contacts-sync: {period} digest: {number(fleet.fresh)} of {number(fleet.users)} fresh, {causes}"
    lines = [
        f"Fresh: {number(fleet.fresh)} of {number(fleet.users)}{_others(fleet)}",
        f"Synced within {span_of(fresh_within)}: {share(fleet.share_meeting)}",
        f"Oldest copy: {logs.clean(fleet.most_stale[0])}, {stamp(fleet.most_stale[1])}" if fleet.most_stale else "",
        f"Runs of {span_of(PERIODS[period])}: {number(recent.succeeded)} succeeded, {number(recent.failed)} failed",
        f"Contacts changed: {number(recent.contacts_changed)}",
        f"Open causes: {'' if opened else 'none'}",
        *(_line(alert) for alert in opened),
        f"Host: {host}",
    ]
    return Message(Level.INFO, title, "\n".join(line for line in lines if line))


def _others(fleet: Fleet) -> str:
    numbers = [f"{number(users)} {health}" for health, users in fleet.by_health.items() if users]
    others = [one for one in numbers if not one.endswith(f" {Health.FRESH}")]
    return f" ({', '.join(others)})" if others else ""


def _line(alert: Alert) -> str:
    return f"- {who(alert.story)}{alert.story.title}, since {stamp(alert.since)}; next: {alert.story.command}"
