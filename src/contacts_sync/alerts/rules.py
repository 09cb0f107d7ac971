"""What health says now, and what was told before -> what to tell, and what to remember of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from contacts_sync.errors import MassDeletion
from contacts_sync.health.verdicts import Health
from contacts_sync.store.alerts import Alert, State, Story

HOUR = timedelta(hours=1)
LONGEST_HOLD = 8 * HOUR
RETURNING = timedelta(days=1)  # a cause that comes back within it has never really gone
REMEMBERED = timedelta(days=30)
EACH_COUNTS = {str(Health.NEEDS_REAUTH), MassDeletion.__name__}  # every user more needs somebody to do something


class Kind(StrEnum):
    """Why a cause is told."""

    NEW = "new"
    AGAIN = "again"
    MORE = "more"
    STILL = "still"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Manners:
    """How often to speak: how long a cause that isn't urgent is watched before it is told; the waits before the first,
    second, … reminder (the last one repeats; none: never); how long a cause must be gone to be over.
    """

    group_wait: timedelta
    remind: Sequence[timedelta]
    recovered_after: timedelta


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell."""

    kind: Kind
    alert: Alert


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write down, what to forget (keys), and what to tell."""

    changed: tuple[Alert, ...]
    forgotten: tuple[str, ...]
    notices: tuple[Notice, ...]


def decide(known: Iterable[Alert], present: Iterable[Story], manners: Manners, now: datetime) -> Decision:
    """Compare what is with what was told.

    A cause that is there is told, at once if it is urgent, else after having been watched; but if it was told within
    the hour before, then at the end of that hour, and the later the oftener it has come back. So a cause makes at most
    one noise an hour, and one more when it is over, however it flickers.
    """
    before = {alert.story.key: alert for alert in known}
    here = {story.key: story for story in present}
    seen = [_seen(before.get(key), story, manners, now) for key, story in here.items()]
    missed = [_missed(alert, manners, now) for key, alert in before.items() if key not in here]
    after = [(alert, kind) for alert, kind in (*seen, *missed) if alert is not None]
    return Decision(
        changed=tuple(alert for alert, _ in after if alert != before.get(alert.story.key)),
        forgotten=tuple(before.keys() - {alert.story.key for alert, _ in after}),
        notices=tuple(Notice(kind, alert) for alert, kind in after if kind is not None),
    )


# -- a cause that is there


def _seen(alert: Alert | None, story: Story, manners: Manners, now: datetime) -> tuple[Alert, Kind | None]:
    if alert is None:
        alert = Alert(story, State.WAITING, since=now, seen_at=now)
    if alert.state is State.OVER:
        alert = _back(alert, now)
    alert = replace(alert, story=story, seen_at=now, told_users=_still_told(alert, story))
    if alert.state is State.WAITING:
        return _waiting(alert, manners, now)
    kind = _reason(alert, manners, now)
    if kind is None:
        return alert, None
    return _told(replace(alert, reminders=alert.reminders + (kind is Kind.STILL)), now), kind


def _still_told(alert: Alert, story: Story) -> int:
    """Of how many users of now the operator has heard: where each counts, one who follows on another is a new one."""
    return min(alert.told_users, story.users) if story.key in EACH_COUNTS else alert.told_users


def _back(alert: Alert, now: datetime) -> Alert:
    """It was over, and here it is again."""
    returns = alert.returns + 1 if alert.told_at and now - alert.seen_at < RETURNING else 0
    return replace(alert, state=State.WAITING, since=now, reminders=0, returns=returns)


def _waiting(alert: Alert, manners: Manners, now: datetime) -> tuple[Alert, Kind | None]:
    watched = is_urgent(alert.story) or now - alert.since >= manners.group_wait
    if not watched or _quiet_for(alert, now) < _hold(alert.returns):
        return alert, None
    return _told(replace(alert, state=State.OPEN), now), Kind.AGAIN if alert.returns else Kind.NEW


def is_urgent(story: Story) -> bool:
    """True for what gets no better by itself: it needs a person, or it isn't about single users."""
    return story.key in EACH_COUNTS or not story.example


def _hold(returns: int) -> timedelta:
    """1, 2, 4, 8 hours."""
    return min(HOUR * (1 << min(max(returns - 1, 0), 10)), LONGEST_HOLD)


def _reason(alert: Alert, manners: Manners, now: datetime) -> Kind | None:
    """Why to tell an open cause again now."""
    quiet_for = _quiet_for(alert, now)
    if quiet_for < HOUR:
        return None
    if _has_grown(alert):
        return Kind.MORE
    if manners.remind and quiet_for >= manners.remind[min(alert.reminders, len(manners.remind) - 1)]:
        return Kind.STILL
    return None


def _has_grown(alert: Alert) -> bool:
    """By anybody where each needs a deed of their own, else to twice as many."""
    users, told = alert.story.users, alert.told_users
    return users > told if alert.story.key in EACH_COUNTS else users >= 2 * max(told, 1)


def _quiet_for(alert: Alert, now: datetime) -> timedelta:
    """Since it was last told; forever if that is in the future: the clock was wrong then, or is now."""
    if alert.told_at is None or alert.told_at > now:
        return timedelta.max
    return now - alert.told_at


def _told(alert: Alert, now: datetime) -> Alert:
    return replace(alert, told_at=now, told_users=alert.story.users)


# -- a cause that isn't there


def _missed(alert: Alert, manners: Manners, now: datetime) -> tuple[Alert | None, Kind | None]:
    gone_for = now - alert.seen_at
    if alert.state is State.OVER:
        return (alert, None) if gone_for < REMEMBERED else (None, None)
    if gone_for < manners.recovered_after:
        return alert, None
    over = replace(alert, state=State.OVER)
    return (replace(over, told_at=now), Kind.OVER) if alert.state is State.OPEN else (over, None)
