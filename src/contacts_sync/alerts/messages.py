"""What to tell -> the words a person reads, in mail headers and chats. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contacts_sync import logs
from contacts_sync.alerts.rules import Kind, Notice
from contacts_sync.errors import ContactsSyncError
from contacts_sync.health.cures import Blame
from contacts_sync.health.words import number, span_of, stamp
from contacts_sync.store.alerts import Alert, Story
from contacts_sync.store.deliveries import Level, Message

MOST_AT_ONCE = 3  # causes told apart; more of them at one time share a message
LONGEST_NAME = 60
PREFIX = {Kind.NEW: "", Kind.AGAIN: "again: ", Kind.MORE: "more: ", Kind.STILL: "still: ", Kind.OVER: "over: "}
PRODUCT = "contacts-sync"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens: a host, and how many users there are in all."""

    host: str
    users: int


def messages(notices: Sequence[Notice], scene: Scene, now: datetime) -> list[Message]:
    """A message for each notice, or one for all of them if they are many."""
    written = [_message(notice, scene, now) for notice in notices]
    if len(written) <= MOST_AT_ONCE:
        return written
    level = next(level for level in Level if any(one.level is level for one in written))
    bodies = "\n\n".join(f"{one.title}\n{one.body}" for one in written)
    return [Message(level, f"{PRODUCT}: news of {len(written)} causes", bodies)]


def _message(notice: Notice, scene: Scene, now: datetime) -> Message:
    alert = notice.alert
    title = f"{PRODUCT}: {PREFIX[notice.kind]}{who(alert.story)}{alert.story.title}"
    if notice.kind is Kind.OVER:
        return Message(Level.SUCCESS, title, _lines(_ended(alert, scene)))
    level = Level.WARNING if alert.story.blame == Blame.USER else Level.FAILURE
    return Message(level, title, _lines(_going_on(alert, scene, now)))


def who(story: Story) -> str:
    """Whom a cause has befallen, before its title."""
    if not story.example:
        return ""
    return f"{_name(story)}: " if story.users == 1 else f"{number(story.users)} users: "


def _name(story: Story) -> str:
    name = logs.clean(story.example)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _going_on(alert: Alert, scene: Scene, now: datetime) -> list[tuple[str, str]]:
    story = alert.story
    of_all = f"{number(story.users)} of {number(scene.users)}"
    return [
        ("Cause", f"{story.title} ({story.error_type})" if story.error_type else story.title),
        ("Users", f"{of_all}, for example {_name(story)}" if story.example else of_all if story.users else ""),
        ("Error", story.detail),
        ("Since", f"{stamp(alert.since)}, {span_of(now - alert.since)}" if now > alert.since else stamp(alert.since)),
        ("Returns", f"{alert.returns} within a day of each other" if alert.returns else ""),
        ("Look at", story.blame),
        ("Next", story.command),
        ("Host", scene.host),
    ]


def _ended(alert: Alert, scene: Scene) -> list[tuple[str, str]]:
    return [
        ("Cause", alert.story.title),
        ("Lasted", f"{span_of(alert.seen_at - alert.since)}, {stamp(alert.since)} to {stamp(alert.seen_at)}"),
        ("Next", "nothing"),
        ("Host", scene.host),
    ]


def _lines(fields: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {logs.clean(value)}" for name, value in fields if value)


# -- what the store can't tell


def store_is_away(trouble: ContactsSyncError, host: str, since: datetime) -> Message:
    """Nobody is synced, and nothing can be written down."""
    fields = [
        ("Cause", logs.redacted(trouble.message)),
        ("Users", "all: nobody is synced until the store is back"),
        ("Since", stamp(since)),
        ("Next", trouble.hint or "contacts-sync check"),
        ("Host", host),
    ]
    return Message(Level.FAILURE, f"{PRODUCT}: the store is out of reach", _lines(fields))


def store_is_back(host: str, since: datetime, now: datetime) -> Message:
    """It answers again."""
    lasted = f"{span_of(now - since)}, {stamp(since)} to {stamp(now)}"
    fields = [("Lasted", lasted), ("Next", "nothing: what was missed is made up for"), ("Host", host)]
    return Message(Level.SUCCESS, f"{PRODUCT}: over: the store is out of reach", _lines(fields))


def trial(host: str, now: datetime) -> Message:
    """Somebody wants to know whether messages arrive."""
    fields = [("Asked", f"contacts-sync alerts test, {stamp(now)}"), ("Next", "nothing: it works"), ("Host", host)]
    return Message(Level.INFO, f"{PRODUCT}: a test", _lines(fields))
