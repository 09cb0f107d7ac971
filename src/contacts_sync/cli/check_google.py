"""Looks at Google: reachable, the OAuth client known there, the clocks in step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from contacts_sync.cli.findings import Finding, Level, failed, looked, passed
from contacts_sync.cli.frame import now
from contacts_sync.config import Config
from contacts_sync.errors import ContactsSyncError, GrantRejected, RequestRejected
from contacts_sync.google import oauth
from contacts_sync.google.http import Transport, reach
from contacts_sync.model import Grant
from contacts_sync.oauth_client import client_credentials, has_client
from contacts_sync.sync.desk import oauth_client, open_transport_for

LARGEST_SKEW = timedelta(minutes=2)
NOBODYS = "contacts-sync-check"  # a refresh token that Google never gave: a known client is told just that


def google_findings(config: Config) -> Iterator[Finding]:
    """The OAuth client, the token endpoint, the People API and the clock."""
    transport = open_transport_for(config, threading.Event())
    if has_client(config):
        yield looked("credentials", lambda: _credentials(config))
        yield looked("token endpoint", lambda: _client_is_known(transport, config))
    began = time.monotonic()
    try:
        answer = reach(transport, config.google.endpoints.people)
    except ContactsSyncError as error:
        yield failed("google", error)
        yield failed("clock", ContactsSyncError("not looked at: there is no answer to compare with"))
        return
    yield passed("google", f"{config.google.endpoints.people} answers in {_milliseconds(began)}")
    yield clock(answer.headers.get("Date", ""))


def _credentials(config: Config) -> str:
    return f"OAuth client {client_credentials(config).client_id}"


def _client_is_known(transport: Transport, config: Config) -> str:
    """Whether Google knows client id and secret: only then does it look at the token and refuse that."""
    began = time.monotonic()
    nobodys = Grant("", NOBODYS, now(), ())
    with suppress(GrantRejected, RequestRejected):
        oauth.refresh(transport, oauth_client(config), nobodys, now=now())
    return f"{config.google.endpoints.token} knows the OAuth client, and answers in {_milliseconds(began)}"


def _milliseconds(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def clock(date: str) -> Finding:
    """How far our clock is from the one in an answer's `Date` header."""
    try:
        skew = abs(parsedate_to_datetime(date).astimezone(UTC) - now())
    except ValueError:
        return passed("clock", "Google's answer has no time to compare with")
    told = f"{skew.total_seconds():.0f} s from Google's"
    if skew <= LARGEST_SKEW:
        return passed("clock", told)
    return Finding("clock", Level.FAIL, told, "set the clock, such as: timedatectl set-ntp true")
