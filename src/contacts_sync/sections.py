"""The configuration as everybody else sees it: frozen sections, values already of their Python types."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import time, timedelta
from pathlib import Path

from contacts_sync.settings import Address, Command


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the store is. The URL may carry a password."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where the keys are."""

    key_file: Path


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Google's addresses, and how to reach them."""

    authorization: str
    token: str
    revocation: str
    userinfo: str
    people: str
    ca_file: str
    proxy: str


@dataclass(frozen=True, slots=True)
class Google:
    """The operator's OAuth client."""

    client_secrets_file: str
    client_id: str
    client_secret: str = field(repr=False)
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Schedule:
    """When users without a schedule of their own are synced."""

    cron: str
    timezone: str
    spread: timedelta
    catch_up: bool
    onboarding: bool


@dataclass(frozen=True, slots=True)
class Sync:
    """How a run goes about its work."""

    workers: int
    page_size: int
    attempts: int
    backoff: tuple[timedelta, ...]
    connect_timeout: timedelta
    read_timeout: timedelta
    run_deadline: timedelta
    requests_per_minute_per_user: int
    requests_per_minute: int
    mass_delete_share: float
    mass_delete_minimum: int


@dataclass(frozen=True, slots=True)
class Daemon:
    """How the daemon keeps time."""

    poll_interval: timedelta
    shutdown_grace: timedelta
    heartbeat: timedelta
    lease: timedelta


@dataclass(frozen=True, slots=True)
class History:
    """How long ended runs are kept; None is forever."""

    keep_succeeded: timedelta | None
    keep_failed: timedelta | None


@dataclass(frozen=True, slots=True)
class Health:
    """What counts as fresh: how old a copy may be, and how long after its slot a run may take to succeed."""

    fresh_within: timedelta
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Web:
    """Where the daemon answers HTTP, None for nowhere; the names it answers to besides its own."""

    listen: Address | None
    password_file: Path | None
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alerts:
    """Whom to tell (`urls` and the lines of `urls_file` are Apprise URLs: secrets), about what, and how often;
    which hosts that aren't on the public net may be told.
    """

    urls: tuple[str, ...] = field(repr=False)
    urls_file: Path | None
    failures_in_a_row: int
    group_wait: timedelta
    remind: tuple[timedelta, ...]
    recovered_after: timedelta
    digest: str
    digest_at: time
    allow_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """The dead man's switch: its URL, or the file that holds it; neither for none."""

    url: str = field(repr=False)
    url_file: Path | None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Commands for ended runs, empty for none; how long one may take."""

    on_failure: Command
    on_success: Command
    on_change: Command
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Log:
    """How much is said, and in which form."""

    level: str
    format: str


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration. `source` is the file it came from, if any."""

    source: Path | None
    database: DatabaseSettings
    secrets: Secrets
    google: Google
    schedule: Schedule
    sync: Sync
    daemon: Daemon
    history: History
    health: Health
    web: Web
    alerts: Alerts
    ping: Ping
    hooks: Hooks
    log: Log

    def sections(self) -> list[str]:
        """The names of the sections."""
        return [one.name for one in fields(self) if one.name != "source"]


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The operator's OAuth client at Google."""

    client_id: str
    client_secret: str = field(repr=False)
