"""What the store shows now -> the causes worth telling, in words that may leave the house. Pure.

No contact data and no secrets: of an error that concerns users, what is particular to one of them is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from contacts_sync import logs
from contacts_sync.health.causes import PARTICULAR, Cause, causes
from contacts_sync.health.cures import Blame
from contacts_sync.health.disk import LITTLE, MAKE_ROOM, told
from contacts_sync.health.verdicts import Health, health_of
from contacts_sync.model import Pause
from contacts_sync.store.alerts import Story
from contacts_sync.store.health import Trouble

LONGEST = 300


def stories(troubles: Iterable[Trouble], pause: Pause | None, users: int) -> list[Story]:
    """One story for each kind of trouble, however many users it has befallen; `users`: how many there are in all."""
    found = causes(_alike(troubles, all_paused=pause is not None), pause, users)
    return [_story(cause) for cause in found]


def of_disk(directory: Path, free: int) -> list[Story]:
    """The disk below the store, once little of it is free (bytes)."""
    if free >= LITTLE:
        return []
    title, detail = "the disk is nearly full", logs.clean(told(directory, free))
    return [Story("disk", title, "", str(Blame.STORE), detail, users=0, example="", command=MAKE_ROOM)]


def without_late(found: Iterable[Story]) -> list[Story]:
    """The others: after a start everybody whose slot was missed is late, and is being synced."""
    return [story for story in found if story.key != str(Health.LATE)]


def _alike(troubles: Iterable[Trouble], *, all_paused: bool) -> list[Trouble]:
    """The same words for the same kind of trouble: those of its largest group."""
    words: dict[tuple[Health, str | None], str | None] = {}
    alike = []
    for trouble in sorted(troubles, key=lambda one: -one.users):
        health = health_of(trouble.signs, all_paused=all_paused)
        kind = health, None if health is Health.NEEDS_REAUTH else trouble.error_type
        alike.append(replace(trouble, message=words.setdefault(kind, trouble.message)))
    return alike


def _story(cause: Cause) -> Story:
    is_of_all = not cause.example
    return Story(
        key=f"all.{cause.error_type}" if is_of_all else cause.error_type or str(cause.health),
        title=cause.title,
        error_type=cause.error_type,
        blame=str(cause.blame),
        detail=_outward(cause.detail if is_of_all else PARTICULAR.sub("…", cause.detail)),
        users=cause.users,
        example=logs.clean(cause.example),
        command=_outward(cause.command),
    )


def _outward(text: str) -> str:
    return logs.clean(logs.redacted(text))[:LONGEST]
