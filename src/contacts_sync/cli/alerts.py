"""`contacts-sync alerts`: what was told to the operator, and whether telling works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from contacts_sync.cli.frame import Frame, json_option, limit_option, now, pass_frame

if TYPE_CHECKING:
    from contacts_sync.store.alerts import Alert
from contacts_sync.store.deliveries import Delivered

DELIVERIES = ("created_at", "title", "destination", "status", "attempts", "ended_at", "error")
CAUSES = ("state", "since", "users", "title", "told_at", "command")


@click.group("alerts")
def command() -> None:
    """See what was told, and try whether telling works."""


@command.command("list")
@limit_option
@json_option
@pass_frame
def list_alerts(frame: Frame, limit: int, as_json: bool) -> None:
    """Show the causes that were told and aren't over, and the newest deliveries.

    Example: contacts-sync alerts list
    """
    from contacts_sync.cli.output import print_json, print_table, say
    from contacts_sync.store import alerts, deliveries
    from contacts_sync.store.engine import read

    with frame.store(frame.config()) as db, read(db) as tx:
        causes = [_cause(one) for one in alerts.every(tx) if one.state is not alerts.State.OVER]
        sent = [_delivery(one) for one in deliveries.latest(tx, limit)]
    if as_json:
        print_json({"alerts": causes, "deliveries": sent})
        return
    if causes:
        print_table(CAUSES, [[one[name] for name in CAUSES] for one in causes])
    else:
        say("no cause is open")
    if sent:
        print_table(DELIVERIES, [[one[name] for name in DELIVERIES] for one in sent])


def _cause(alert: Alert) -> dict[str, Any]:
    from dataclasses import asdict

    from contacts_sync.cli.output import instant

    times = {name: instant(getattr(alert, name)) for name in ("since", "seen_at", "told_at")}
    return {**asdict(alert.story), "state": str(alert.state), "reminders": alert.reminders, **times}


def _delivery(one: Delivered) -> dict[str, Any]:
    from dataclasses import asdict

    from contacts_sync.cli.output import instant

    times = {name: instant(getattr(one, name)) for name in ("created_at", "not_before", "ended_at")}
    return {**asdict(one), **times}


@command.command("test")
@json_option
@pass_frame
def test(frame: Frame, as_json: bool) -> int:
    """Send a message to every destination, and tell for each what happened. The exit code is 1 if any failed.

    Example: contacts-sync alerts test
    """
    from contacts_sync.alerts.messages import trial
    from contacts_sync.alerts.recipients import recipients
    from contacts_sync.alerts.sending import send
    from contacts_sync.cli.output import print_json, say
    from contacts_sync.errors import ConfigurationError
    from contacts_sync.store.nodes import this_host

    found = recipients(frame.config().alerts)
    if not found:
        raise ConfigurationError("no destination is configured", hint="put one a line into a file, alerts.urls_file")
    message = trial(this_host()[0], now())
    results = []
    for to in found:
        error = send(to, message)
        results.append({"destination": to.label, "origin": to.origin, "ok": error is None, "error": error})
        if not as_json:
            say(f"{'sent' if error is None else 'FAIL'}  {to.label} ({to.origin}){f': {error}' if error else ''}")
    ok = all(one["ok"] for one in results)
    if as_json:
        print_json({"ok": ok, "deliveries": results})
    return 0 if ok else 1
