"""Numbers and instants as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNITS = ((86_400, 2, "day"), (3_600, 1, "hour"), (60, 1, "minute"))  # seconds, from how many on, name


def number(value: float) -> str:
    """12,345."""
    return f"{value:,.0f}"


def share(value: float) -> str:
    """A share as a percentage that never says 100 before it is."""
    tenths = int(value * 1000 + 1e-9)
    return f"{tenths / 10:g} %"


def stamp(at: datetime | None) -> str:
    """2026-03-01 02:00:07 UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "-"


def iso(at: datetime) -> str:
    """For machines: the datetime attribute of `time`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_of(length: timedelta) -> str:
    """About how long: 3 days, 26 hours, 5 minutes, a few seconds."""
    seconds = abs(length.total_seconds())
    for size, least, name in UNITS:
        if seconds >= least * size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "a few seconds"


def ago(at: datetime | None, now: datetime) -> str:
    """When it was, or will be, seen from now."""
    if at is None:
        return "never"
    return f"in {span_of(at - now)}" if at > now else f"{span_of(now - at)} ago"


def seconds(value: float | None) -> str:
    """How long something took: 240 ms, 3.2 s, 4 min."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 100:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min"
