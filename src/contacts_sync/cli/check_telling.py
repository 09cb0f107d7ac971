"""Looks at who is told: the destinations of alerts, the dead man's switch, and the hooks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from contacts_sync.alerts.command import environment
from contacts_sync.alerts.pinging import destination
from contacts_sync.alerts.recipients import recipients
from contacts_sync.alerts.sending import refusal
from contacts_sync.cli.findings import Finding, Level, failed, looked, passed, warned
from contacts_sync.cli.output import instant
from contacts_sync.config import Config
from contacts_sync.errors import ConfigurationError, PassingTrouble
from contacts_sync.settings import Command
from contacts_sync.store import pings
from contacts_sync.store.engine import Database, read


def telling_findings(config: Config) -> Iterator[Finding]:
    """Whether pings may go where they should, and the hooks' programs are there. Nobody is told anything."""
    if config.alerts.urls or config.alerts.urls_file:
        yield looked("alerts", lambda: _recipients(config))
    if config.ping.url or config.ping.url_file:
        yield _destination(config)
    commands = {name: getattr(config.hooks, name) for name in ("on_failure", "on_success", "on_change")}
    yield from (_program(f"hooks.{name}", words) for name, words in commands.items() if words)


def _recipients(config: Config) -> str:
    """Raises `ConfigurationError` for destinations that can't be used, or may not be."""
    found = recipients(config.alerts)
    refused = [f"{one.origin}: {why}" for one in found if (why := refusal(one)) is not None]
    if refused:
        raise ConfigurationError("\n".join(refused))
    return f"alerts go to {', '.join(one.label for one in found)}"


def _destination(config: Config) -> Finding:
    try:
        host = destination(config.ping, config.alerts.allow_hosts).host
    except ConfigurationError as error:
        return failed("ping", error)
    except PassingTrouble as trouble:
        return warned("ping", trouble.message)
    return passed("ping", f"{host} is told once a day")


def _program(name: str, words: Command) -> Finding:
    """A relative path is looked up from where hooks run, the root."""
    found = shutil.which(os.path.join("/", words[0]) if "/" in words[0] else words[0], path=environment()["PATH"])  # noqa: PTH118  (no path: what a program would be called by)
    if found is None:
        return Finding(name, Level.FAIL, f"{words[0]} is no program that can be run", "give its whole path, chmod +x")
    return passed(name, found)


def ping_finding(config: Config, db: Database) -> Iterator[Finding]:
    """What came of the latest ping, where there has been one."""
    if not (config.ping.url or config.ping.url_file):
        return
    with read(db) as tx:
        told = pings.latest(tx)
    if told is None:
        return
    what = f"{told.step} of the round of {instant(told.round_at)}"
    if told.trouble is not None:
        yield warned("pings", f"{what} could not be told in {told.attempts} attempts: {told.trouble}", "see [ping]")
    elif told.delivered_at is not None:
        yield passed("pings", f"{what} was told at {instant(told.delivered_at)}")
