"""The options that say when a user is synced: `schedule set` and `connect` share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from contacts_sync.cli.frame import checked_duration
from contacts_sync.errors import InvalidUsage

if TYPE_CHECKING:
    from contacts_sync.config import Config
    from contacts_sync.model import Bounds, OwnSchedule

Function = TypeVar("Function", bound=Callable[..., Any])

MINUTE, LONGEST = timedelta(minutes=1), timedelta(days=31)
OPTIONS = {
    "cron": click.option("--cron", help='Standard crontab: "30 3 * * *".'),
    "every": click.option("--every", metavar="DURATION", help="At this interval, at minutes of the user's own: 6h."),
    "daily_at": click.option("--daily-at", metavar="HH:MM", help="Once a day: 03:30."),
    "off_hours": click.option(
        "--off-hours", is_flag=True, help="Once a night, from 1 to 5 o'clock, at a minute of the user's own."
    ),
    "adaptive": click.option(
        "--adaptive", is_flag=True, help="The more often contacts change, the more often, from --min to --max."
    ),
    "least": click.option(
        "--min", "least", metavar="DURATION", help="The shortest interval of --adaptive; default: 1h."
    ),
    "most": click.option("--max", "most", metavar="DURATION", help="The longest one, up to 5d; default: 2d."),
    "timezone": click.option(
        "--timezone", help="An IANA name: Europe/Berlin; default: the user's present one, else the configured one."
    ),
}
WAYS = ("--cron", "--every", "--daily-at", "--off-hours", "--adaptive")
HINT = "contacts-sync schedule set --help"
SHORTEST, USUALLY_LONGEST = "1h", "2d"


@dataclass(frozen=True, slots=True)
class ScheduleWords:
    """What one command line says about when to sync."""

    cron: str | None
    every: str | None
    daily_at: str | None
    off_hours: bool
    adaptive: bool
    least: str | None
    most: str | None
    timezone: str | None

    @property
    def names_way(self) -> bool:
        """True if they say more than a time zone."""
        return bool(self._ways())

    @property
    def are_given(self) -> bool:
        """True if they say anything."""
        return self.names_way or self.timezone is not None

    def check(self, config: Config) -> None:
        """Raise `InvalidUsage` for words that contradict each other, or can't be right for anybody."""
        if len(self._ways()) > 1:
            raise InvalidUsage(f"{' and '.join(self._ways())} are different ways: choose one", hint=HINT)
        if not self.adaptive and (self.least is not None or self.most is not None):
            raise InvalidUsage("--min and --max belong to --adaptive", hint=HINT)
        self.schedule_of("", None, config)

    def schedule_of(self, user_id: str, present: OwnSchedule | None, config: Config) -> OwnSchedule | None:
        """The user's schedule from now on, None where nothing is said; what isn't said stays as it is at present.

        Raises `InvalidUsage` for one that can't be.
        """
        from contacts_sync.model import OwnSchedule
        from contacts_sync.timetable import compile_schedule

        if not self.are_given:
            return None
        present = present or OwnSchedule()
        timezone = present.timezone if self.timezone is None else self.timezone
        cron, bounds = self._way_of(user_id) if self.names_way else (present.cron, present.bounds)
        compile_schedule(
            config.schedule.cron if cron is None else cron,
            config.schedule.timezone if timezone is None else timezone,
        )
        return OwnSchedule(cron, timezone, bounds)

    def _ways(self) -> list[str]:
        named = (one is not None for one in (self.cron, self.every, self.daily_at))
        given = (*named, self.off_hours, self.adaptive)
        return [name for name, is_given in zip(WAYS, given, strict=True) if is_given]

    def _way_of(self, user_id: str) -> tuple[str | None, Bounds | None]:
        from contacts_sync import cadence
        from contacts_sync.model import Bounds

        if self.daily_at is not None:
            return cadence.daily_at(self.daily_at), None
        if self.off_hours:
            return cadence.off_hours(user_id), None
        if self.adaptive:
            return None, self._bounds()
        if self.every is None:
            return self.cron, None
        interval = whole_minutes("--every", self.every, most=LONGEST)
        cron = cadence.every(user_id, interval)
        return cron, None if cron else Bounds(interval, interval)

    def _bounds(self) -> Bounds:
        from contacts_sync.intervals import LONGEST_ADAPTIVE
        from contacts_sync.model import Bounds

        least = SHORTEST if self.least is None else self.least
        most = USUALLY_LONGEST if self.most is None else self.most
        shortest, longest = (
            whole_minutes(option, text, most=LONGEST_ADAPTIVE) for option, text in (("--min", least), ("--max", most))
        )
        if shortest > longest:
            raise InvalidUsage(f"--min {least} is longer than --max {most}", hint=HINT)
        return Bounds(shortest, longest)


def whole_minutes(option: str, text: str, *, most: timedelta) -> timedelta:
    """A duration from the command line in whole minutes. Raises `InvalidUsage`."""
    found = checked_duration(option, text, most=most)
    if found % MINUTE:
        raise InvalidUsage(f"{option} is {text!r}, expected whole minutes", hint='such as "30m", "6h" or "36h"')
    return found


def schedule_options(function: Function) -> Function:
    """The options, handed to the command as `words`."""

    @wraps(function)
    def packed(*arguments: Any, **options: Any) -> Any:
        words = ScheduleWords(**{name: options.pop(name) for name in OPTIONS})
        return function(*arguments, words=words, **options)

    for option in reversed(OPTIONS.values()):
        packed = option(packed)
    return packed  # type: ignore[return-value]  # the same command, with options of its own
