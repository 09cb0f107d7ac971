"""Many users' troubles -> the few causes behind them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from contacts_sync.health.cures import CONNECT, LATE, UNSCHEDULED, Blame, Cure, command_for, cure_for
from contacts_sync.health.verdicts import Health, health_of
from contacts_sync.model import Pause
from contacts_sync.store.health import TROUBLE, Sign, Trouble, UserRow

WAITING = Sign.OVERDUE | Sign.NEVER  # what a pause of everybody explains

PARTICULAR = re.compile(
    r"""'[^']*' | "[^"]*" | \S+@\S+ | https?://\S+ | \b\d{4}-\d\d-\d\d[T ]?[\d:.]*Z? | \b(?:[0-9a-f]{8,}|\d{4,})\b
      | (?<=\buser\ )\S+ | (?<=\brun\ )\d+""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One story for all the users it has befallen: `example` is one of them, `error_type` the class of their error."""

    health: Health
    error_type: str
    blame: Blame
    title: str
    detail: str
    users: int
    example: str
    command: str


def causes(troubles: Iterable[Trouble], pause: Pause | None, users: int) -> list[Cause]:
    """The causes behind the troubles, the one with the most users first, but a pause of everybody before all.

    `users`: how many there are in all.
    """
    told: dict[tuple[str, str, str], Cause] = {}
    for trouble in troubles:
        health = health_of(trouble.signs, all_paused=pause is not None)
        if pause is not None and health is Health.PAUSED and not trouble.signs & (Sign.PARKED | Sign.UNSCHEDULED):
            continue  # waits with everybody: told by the pause
        cause = _cause(trouble, health)
        key = cause.title, cause.error_type, PARTICULAR.sub("…", cause.detail)
        told[key] = _together(told[key], cause) if key in told else cause
    found = sorted(
        (_of_one_or_many(cause, users) for cause in told.values()), key=lambda cause: (-cause.users, cause.title)
    )
    return [*([_of_pause(pause, users)] if pause else []), *found]


def _cause(trouble: Trouble, health: Health) -> Cause:
    cure = _cure(trouble, health)
    return Cause(
        health=health,
        error_type=trouble.error_type or "" if health in (Health.FAILING, Health.PAUSED) else "",
        blame=cure.blame,
        title=cure.title,
        detail=trouble.message or "",
        users=trouble.users,
        example=trouble.example,
        command=command_for(cure, trouble.example, trouble.users),
    )


def _cure(trouble: Trouble, health: Health) -> Cure:
    if health is Health.NEEDS_REAUTH:
        return CONNECT
    if Sign.FAILING in trouble.signs:
        return cure_for(trouble.error_type)
    return UNSCHEDULED if Sign.UNSCHEDULED in trouble.signs else LATE


def _together(one: Cause, other: Cause) -> Cause:
    users = one.users + other.users
    detail = one.detail if one.detail == other.detail else PARTICULAR.sub("…", one.detail)
    if one.health is Health.NEEDS_REAUTH:
        command = one.command
    elif one.error_type or one.health is Health.FAILING:
        command = command_for(cure_for(one.error_type), one.example, users)
    else:
        command = one.command
    return replace(one, users=users, detail=detail, example=min(one.example, other.example), command=command)


def _of_one_or_many(cause: Cause, users: int) -> Cause:
    """What Google does to one user of many is about that user's account."""
    lonely = cause.blame is Blame.GOOGLE and cause.users == 1 and users > 1
    return replace(cause, blame=Blame.USER) if lonely else cause


def _of_pause(pause: Pause, users: int) -> Cause:
    return Cause(
        health=Health.PAUSED,
        error_type=pause.error_type,
        blame=cure_for(pause.error_type).blame,
        title="all runs are paused",
        detail=pause.message,
        users=users,
        example="",
        command=pause.hint,
    )


def cause_of(user: UserRow, pause: Pause | None, failed_run: int | None) -> Cause | None:
    """What is wrong with one user, or None; `failed_run` is the latest run if that failed."""
    if not user.signs & TROUBLE:
        return None
    trouble = Trouble(user.signs, user.error_type, user.message, 1, user.user_id)
    found = causes([trouble], None if user.signs & ~WAITING & TROUBLE else pause, 1)
    if Sign.PARKED in user.signs and failed_run is not None:
        return replace(found[0], command=f"contacts-sync runs approve {failed_run}")
    return found[0]
