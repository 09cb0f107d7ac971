"""`contacts-sync schedule plan`: the load of the hours to come, and whether the quota holds it."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import Frame, json_option, now, pass_frame

if TYPE_CHECKING:
    from contacts_sync.health.forecast import Forecast, Hour
    from contacts_sync.sections import Sync

MOST_HOURS = 24 * 7
COLUMNS = ("hour from (UTC)", "runs", "requests", "peak runs / min", "peak requests / min", "")


@click.command("plan")
@click.option("--hours", type=click.IntRange(1, MOST_HOURS), default=24, show_default=True, help="How far ahead.")
@json_option
@pass_frame
def command(frame: Frame, hours: int, as_json: bool) -> None:
    """Show the load of the hours to come: runs, requests to Google, and hours whose quota is too small for them.

    A run that finds little to do is two requests; full syncs, one a user every five to six and a half days, are
    spread over all runs. Adaptive users are counted at their present intervals.

    Example: contacts-sync schedule plan --hours 24
    """
    from contacts_sync.cli.output import print_json
    from contacts_sync.health.forecast import forecast
    from contacts_sync.store.engine import read

    config = frame.config()
    with frame.store(config) as db, read(db) as tx:
        found = forecast(tx, config.schedule, config.sync, now(), timedelta(hours=hours))
    if as_json:
        print_json(_document(found, config.sync))
    else:
        _show(found, config.sync)


def _document(found: Forecast, sync: Sync) -> dict[str, Any]:
    from contacts_sync.cli.output import instant

    return {
        "ok": all(hour.holds for hour in found.hours),
        "requests_per_run": round(found.requests_a_run, 2),
        "requests_per_minute": sync.requests_per_minute,
        "requests_per_minute_per_user": sync.requests_per_minute_per_user,
        "largest_full_sync": {"requests": found.largest_full, "minutes": _minutes_of_largest(found, sync)},
        "hours": [
            {
                "start": instant(hour.start),
                "runs": hour.runs,
                "requests": hour.requests,
                "peak_runs_per_minute": hour.peak_runs,
                "peak_requests_per_minute": hour.peak_requests,
                "carried_requests": hour.carried,
                "holds": hour.holds,
            }
            for hour in found.hours
        ],
    }


def _minutes_of_largest(found: Forecast, sync: Sync) -> int:
    """How many minutes the quota per user stretches the largest full sync over."""
    limit = sync.requests_per_minute_per_user
    return ceil(found.largest_full / limit) if limit else 1


def _show(found: Forecast, sync: Sync) -> None:
    from contacts_sync.cli.output import print_table, say, warn

    print_table(COLUMNS, [_cells(hour, sync.requests_per_minute) for hour in found.hours])
    limit = f"{sync.requests_per_minute} a minute" if sync.requests_per_minute else "none"
    say(f"a run is {found.requests_a_run:.1f} requests on average; sync.requests_per_minute: {limit}")
    minutes = _minutes_of_largest(found, sync)
    if minutes > 1:
        say(f"the largest full sync takes {minutes} min at sync.requests_per_minute_per_user")
    if not all(hour.holds for hour in found.hours):
        warn(
            "some hours can't hold their load, and runs will be late; next: spread the users "
            "(schedule.spread, schedule set --all --off-hours or --adaptive), or raise sync.requests_per_minute"
        )


def _cells(hour: Hour, limit: int) -> tuple[object, ...]:
    remark = ""
    if not hour.holds:
        remark = f"too much: {hour.carried} requests have to wait for the next hour"
    elif limit and hour.peak_requests > limit:
        remark = f"its busiest minute takes {ceil(hour.peak_requests / limit)}"
    return hour.start, hour.runs, hour.requests, hour.peak_runs, hour.peak_requests, remark
