"""Every key of the configuration: its default, how it is read, and what it means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from contacts_sync import settings
from contacts_sync.settings import Reader


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `secret`: its value is never shown in an error."""

    name: str
    default: Any
    read: Reader
    comment: str
    secret: bool = False

    @property
    def section(self) -> str:
        """The TOML table it stands in."""
        return self.name.rpartition(".")[0]

    @property
    def short(self) -> str:
        """Its name within the table."""
        return self.name.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "CONTACTS_SYNC_" + self.name.replace(".", "__").upper()

    @property
    def shown(self) -> str:
        """The default as TOML."""
        return json.dumps(self.default)


GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth"
KEYS = (
    Key(
        "database.url",
        "",
        settings.store_url,
        'SQLite, "sqlite:////var/lib/contacts-sync/contacts-sync.db", or PostgreSQL, "postgresql+psycopg://user@host/db".\n'
        "Empty: contacts-sync.db in $STATE_DIRECTORY, else in the XDG state directory.",
    ),
    Key(
        "secrets.key_file",
        "",
        settings.string,
        "One key a line; the first encrypts, all decrypt.\n"
        'Empty: $CREDENTIALS_DIRECTORY/contacts-sync.key if there is one, else the file "key" beside this one.',
    ),
    Key(
        "google.client_secrets_file",
        "",
        settings.string,
        "The JSON downloaded from Google's console (OAuth client of type Desktop app); or the next two.",
    ),
    Key("google.client_id", "", settings.string, "Only if there is no client_secrets_file."),
    Key("google.client_secret", "", settings.string, "Better kept in client_secrets_file.", secret=True),
    Key(
        "google.endpoints.authorization",
        GOOGLE,
        settings.endpoint,
        "For tests and proxies. Plain http is accepted on loopback only.",
    ),
    Key(
        "google.endpoints.token",
        "https://oauth2.googleapis.com/token",
        settings.endpoint,
        "Where codes and refresh tokens are exchanged.",
    ),
    Key(
        "google.endpoints.revocation",
        "https://oauth2.googleapis.com/revoke",
        settings.endpoint,
        "Where grants are revoked.",
    ),
    Key(
        "google.endpoints.userinfo",
        "https://openidconnect.googleapis.com/v1/userinfo",
        settings.endpoint,
        "Who gave consent.",
    ),
    Key("google.endpoints.people", "https://people.googleapis.com", settings.endpoint, "The People API."),
    Key("google.endpoints.ca_file", "", settings.string, "Certificates to trust besides the system's (PEM)."),
    Key(
        "google.endpoints.proxy",
        "",
        settings.web_url,
        '"http://proxy:3128". Proxies are never taken from the environment.',
        secret=True,
    ),
    Key(
        "schedule.cron",
        "0 2 * * *",
        settings.string,
        "Standard crontab: minute, hour, day of month, month, day of week.",
    ),
    Key("schedule.timezone", "UTC", settings.string, "An IANA name, such as Europe/Berlin."),
    Key(
        "schedule.spread",
        "0s",
        settings.duration(most="7d"),
        "A herd is spread over this window, each user at a fixed offset.",
    ),
    Key(
        "schedule.catch_up",
        True,  # noqa: FBT003  (a default among defaults)
        settings.boolean,
        "A run missed while the daemon was down is queued at start.",
    ),
    Key(
        "schedule.onboarding",
        False,  # noqa: FBT003  (a default among defaults)
        settings.boolean,
        "A user who is newly connected is synced hourly for the first day, too.",
    ),
    Key("sync.workers", 16, settings.integer(1, 1000), "Runs at the same time."),
    Key("sync.page_size", 1000, settings.integer(1, 1000), "Contacts a request."),
    Key(
        "sync.attempts",
        3,
        settings.integer(1, 100),
        "How often a run is tried when Google or the network is in passing trouble.",
    ),
    Key(
        "sync.backoff",
        ["2s", "4s", "8s"],
        settings.durations,
        "The n-th wait follows the n-th failed attempt; a longer Retry-After wins.",
    ),
    Key("sync.connect_timeout", "10s", settings.duration(least="1ms", most="10m"), "To reach Google."),
    Key(
        "sync.read_timeout",
        "60s",
        settings.duration(least="1ms", most="1h"),
        "Between two bytes of an answer; the whole answer may take twice as long.",
    ),
    Key(
        "sync.run_deadline",
        "30m",
        settings.duration(least="1s"),
        "A run that takes longer is stopped and failed.",
    ),
    Key(
        "sync.requests_per_minute_per_user",
        60,
        settings.integer(0, 1_000_000),
        "Google's quota is per user and minute; 0 = no limit of our own.",
    ),
    Key(
        "sync.requests_per_minute",
        0,
        settings.integer(0, 100_000_000),
        "All users together; 0 = no limit of our own.",
    ),
    Key(
        "sync.mass_delete_share",
        0.5,
        settings.share,
        "A run that would remove more than this share of a user's contacts (and more than the minimum)\n"
        "lists once more, and then waits for `runs approve`; nothing is removed meanwhile.",
    ),
    Key("sync.mass_delete_minimum", 20, settings.integer(0, 1_000_000), "See mass_delete_share."),
    Key(
        "daemon.poll_interval",
        "1s",
        settings.duration(least="10ms", most="1h"),
        "How soon the command line's changes are noticed.",
    ),
    Key(
        "daemon.shutdown_grace",
        "30s",
        settings.duration(most="1h"),
        "How long running runs may finish after SIGTERM.",
    ),
    Key(
        "daemon.heartbeat",
        "10s",
        settings.duration(least="100ms", most="1h"),
        "How often a process says that it lives; at least three times a lease.",
    ),
    Key(
        "daemon.lease",
        "60s",
        settings.duration(least="1s", most="1d"),
        "A running run whose worker has been silent for this long is taken back.",
    ),
    Key(
        "history.keep_succeeded",
        "30d",
        settings.retention,
        'Older succeeded and cancelled runs are forgotten; "forever" keeps them.',
    ),
    Key("history.keep_failed", "forever", settings.retention, "The same for failed runs."),
    Key(
        "health.fresh_within",
        "26h",
        settings.duration(least="1m", most="90d"),
        "The freshness objective: a user meets it whose last successful sync is no older than this.",
    ),
    Key(
        "health.grace",
        "1h",
        settings.duration(most="7d"),
        "A user is late who has no success this long after a slot (and after schedule.spread).",
    ),
    Key(
        "web.listen",
        "127.0.0.1:8787",
        settings.address,
        'Where the daemon serves the dashboard, /metrics, /healthz and /readyz; "" = nowhere.\n'
        "Beyond loopback it needs a password_file, and a proxy that speaks TLS.",
    ),
    Key(
        "web.password_file",
        "",
        settings.string,
        "One line: the password of everything but /healthz (HTTP Basic; any user name). Readable by its owner only.",
    ),
    Key(
        "web.hosts",
        [],
        settings.host_names,
        "Names it answers to besides localhost, this machine's name and IP addresses, as a proxy passes them on.",
    ),
    Key(
        "alerts.urls",
        [],
        settings.addresses,
        "Where the daemon sends alerts: Apprise URLs (mailtos://, ntfys://, slack://, ...). They hold secrets:\n"
        "better kept in urls_file.",
        secret=True,
    ),
    Key(
        "alerts.urls_file",
        "",
        settings.string,
        "More of them, one a line, # begins a comment. Not readable by others.\n"
        "Empty: $CREDENTIALS_DIRECTORY/contacts-sync.alerts if there is one.",
    ),
    Key(
        "alerts.failures_in_a_row",
        3,
        settings.integer(1, 1000),
        "A user is worth an alert who fails so often in a row, or is late. What needs a person is told at once.",
    ),
    Key(
        "alerts.group_wait",
        "1m",
        settings.duration(most="1h"),
        "How long a new cause is watched before it is told, so that the message counts all whom it hits. What needs a\n"
        "person isn't watched.",
    ),
    Key(
        "alerts.remind",
        ["6h", "1d", "3d", "7d"],
        settings.durations,
        "The waits before a cause that goes on is told again; the last one repeats. [] = told once.",
    ),
    Key(
        "alerts.recovered_after",
        "10m",
        settings.duration(most="1d"),
        "A cause that hasn't been seen for this long is over.",
    ),
    Key(
        "alerts.digest",
        "off",
        settings.one_of("off", "daily", "weekly"),
        "A summary of freshness, runs, changes and open causes: off, daily, or weekly (on Mondays).",
    ),
    Key("alerts.digest_at", "08:00", settings.time_of_day, "When, on the clock of schedule.timezone."),
    Key(
        "alerts.allow_hosts",
        [],
        settings.host_names,
        "Hosts of your own network that may be pinged and told, also by plain http; all others must be public.",
    ),
    Key(
        "ping.url",
        "",
        settings.web_url,
        "A dead man's switch, as of healthchecks.io, told once a day that the syncs have begun (URL/start), that all\n"
        "are done (URL), or that not everybody is fresh after them (URL/fail). A secret: better kept in url_file.",
        secret=True,
    ),
    Key(
        "ping.url_file",
        "",
        settings.string,
        "One line: that URL. Empty: $CREDENTIALS_DIRECTORY/contacts-sync.ping if there is one and no url.",
    ),
    Key(
        "hooks.on_failure",
        [],
        settings.command,
        "A command for every run that has failed: its words, no shell. It gets the run as JSON on stdin, and an\n"
        "environment without secrets. As an environment variable: words as they would be typed.",
    ),
    Key("hooks.on_success", [], settings.command, "A command for every run that has succeeded."),
    Key(
        "hooks.on_change",
        [],
        settings.command,
        "A command for every run that has changed something in the store, however it ended.",
    ),
    Key("hooks.timeout", "30s", settings.duration(least="100ms", most="1h"), "A command that takes longer is killed."),
    Key(
        "log.level",
        "info",
        settings.one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error.",
    ),
    Key(
        "log.format",
        "auto",
        settings.one_of("auto", "console", "json"),
        "auto: console on a terminal, json otherwise.",
    ),
)
