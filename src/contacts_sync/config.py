"""TOML <- environment <- flags into one frozen Config. The only home of defaults."""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import platformdirs

from contacts_sync.errors import ConfigurationError, InvalidUsage
from contacts_sync.keys import KEYS, Key
from contacts_sync.sections import (
    Alerts,
    Config,
    Daemon,
    DatabaseSettings,
    Endpoints,
    Google,
    Health,
    History,
    Hooks,
    Log,
    Ping,
    Schedule,
    Secrets,
    Sync,
    Web,
)
from contacts_sync.settings import Address, Command, Text, format_duration, is_loopback, parse_duration, retention
from contacts_sync.timetable import compile_schedule

__all__ = [
    "Config",
    "Schedule",
    "Setting",
    "Sync",
    "default_path",
    "example",
    "format_duration",
    "load",
    "parse_duration",
    "settings_in_force",
]

PREFIX = "CONTACTS_SYNC_"
APPLICATION = "contacts-sync"
MASK = "***"
HEARTBEATS_PER_LEASE = 3  # at least
PASSWORD = re.compile(r"(?P<before>://[^/@:]*:)[^@]*(?=@)|(?P<name>[?&]\w*password=)[^&\"]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """A key in force: its value as text, secrets masked, and where it was set."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A value that was set, and where."""

    value: Any
    origin: str


# -- loading


def load(path: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Config:
    """The configuration from `path`, or the first file of the usual places that exists, the environment, and flags.

    `flags`: values by dotted key. Raises `ConfigurationError` with a line for every problem there is.
    """
    source = path or _find(environ)
    values, _ = _read_all(source, environ, flags or {})
    return _assemble(source, values, environ)


def settings_in_force(
    path: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> list[Setting]:
    """The same key by key, as it would be written down; defaults that depend on the environment are worked out."""
    source = path or _find(environ)
    values, found = _read_all(source, environ, flags or {})
    config = _assemble(source, values, environ)
    worked_out = {
        "database.url": _masked_url(config.database.url),
        "secrets.key_file": str(config.secrets.key_file),
        "alerts.urls_file": str(config.alerts.urls_file or ""),
        "ping.url_file": str(config.ping.url_file or ""),
    }
    return [
        Setting(
            key.name,
            worked_out.get(key.name) or _masked_url(_shown(key, values[key.name])),
            found[key.name].origin if key.name in found else "default",
        )
        for key in KEYS
    ]


def _read_all(
    source: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[dict[str, Any], dict[str, _Found]]:
    problems: list[str] = []
    found: dict[str, _Found] = {}
    if source is not None:
        found.update(_from_file(source, problems))
    found.update(_from_environment(environ, problems))
    found.update({key: _Found(value, "command line") for key, value in flags.items()})
    values = {key.name: _read(key, found.get(key.name), problems) for key in KEYS}
    _check_schedule(values, found, problems)
    _check_web(values, found, problems)
    _check_ping(values, found, problems)
    if problems:
        raise ConfigurationError("\n".join(problems), hint="correct the configuration and try again")
    return values, found


def _shown(key: Key, value: object) -> str:
    if key.secret and value:
        return MASK
    if value is None:
        return "forever" if key.read is retention else ""
    if isinstance(value, tuple) and not isinstance(value, Address | Command):
        return ", ".join(_shown(key, one) for one in value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _masked_url(url: str) -> str:
    """A database URL or a proxy may carry a password, before the host or as a parameter."""
    return PASSWORD.sub(lambda found: (found["before"] or found["name"]) + MASK, url)


def _find(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("CONTACTS_SYNC_CONFIG")
    if named:
        return Path(named)
    usual = (_config_home(environ) / "config.toml", Path("/etc", APPLICATION, "config.toml"))
    return next((path for path in usual if path.exists()), None)


def _config_home(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME")
    return Path(base, APPLICATION) if base else platformdirs.user_config_path(APPLICATION)


def _from_file(source: Path, problems: list[str]) -> dict[str, _Found]:
    try:
        document = tomllib.loads(source.read_text("utf-8-sig"))
        if source.stat().st_mode & stat.S_IWOTH:
            problems.append(f"{source}: everybody may write to it, and so choose where tokens go; chmod o-w {source}")
    except OSError as error:
        problems.append(f"{source}: can't be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.append(f"{source}: not UTF-8 at byte {error.start}")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{source}: not TOML: {error}")
    else:
        return {name: _Found(value, str(source)) for name, value in _known(document, str(source), problems)}
    return {}


def _known(document: Mapping[str, Any], origin: str, problems: list[str]) -> Iterator[tuple[str, Any]]:
    names = {key.name for key in KEYS}
    for name, value in _flat(document):
        if name in names:
            yield name, value
        elif value != {} or not any(known.startswith(f"{name}.") for known in names):
            problems.append(f"{origin}: unknown key {name!r}{_did_you_mean(name, names)}")


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _did_you_mean(name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    by_variable = {key.variable: key.name for key in KEYS}
    mistyped = {variable.replace("__", "_") for variable in by_variable}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or ("__" not in variable and variable not in mistyped):
            continue
        if variable in by_variable:
            found[by_variable[variable]] = _Found(Text(value), f"${variable}")
        else:
            problems.append(f"${variable}: unknown key{_did_you_mean(variable, set(by_variable))}")
    return found


def _read(key: Key, found: _Found | None, problems: list[str]) -> Any:
    if found is None:
        return key.read(key.default)
    try:
        return key.read(found.value)
    except ValueError as error:
        shown = "a value" if key.secret else _masked_url(json.dumps(found.value, default=str))
        problems.append(f"{found.origin}: {key.name} is {shown}, expected {error}")
        return key.read(key.default)


def _check_schedule(values: Mapping[str, Any], found: Mapping[str, _Found], problems: list[str]) -> None:
    for name, cron, zone in (
        ("schedule.cron", values["schedule.cron"], "UTC"),
        ("schedule.timezone", "0 2 * * *", values["schedule.timezone"]),
    ):
        try:
            compile_schedule(cron, zone)
        except InvalidUsage as error:
            problems.append(f"{found[name].origin}: {name}: {error.message}; {error.hint}")


def _check_web(values: Mapping[str, Any], found: Mapping[str, _Found], problems: list[str]) -> None:
    listen = values["web.listen"]
    if listen is not None and not is_loopback(listen[0]) and not values["web.password_file"]:
        problems.append(
            f"{found['web.listen'].origin}: web.listen reaches beyond this machine, expected web.password_file too"
        )


def _check_ping(values: Mapping[str, Any], found: Mapping[str, _Found], problems: list[str]) -> None:
    if values["ping.url"] and values["ping.url_file"]:
        problems.append(f"{found['ping.url_file'].origin}: ping.url_file stands beside ping.url, expected one of them")


def _assemble(source: Path | None, values: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    def section(name: str) -> dict[str, Any]:
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): value
            for key, value in values.items()
            if key.startswith(prefix) and "." not in key.removeprefix(prefix)
        }

    return Config(
        source=source,
        database=DatabaseSettings(values["database.url"] or _default_url(environ)),
        secrets=Secrets(_key_file(values["secrets.key_file"], source, environ)),
        google=Google(**section("google"), endpoints=Endpoints(**section("google.endpoints"))),
        schedule=Schedule(**section("schedule")),
        sync=Sync(**section("sync")),
        daemon=_daemon(section("daemon")),
        history=History(**section("history")),
        health=Health(**section("health")),
        web=Web(**{**section("web"), "password_file": _path(values["web.password_file"])}),
        alerts=Alerts(**{**section("alerts"), "urls_file": _alerts_file(values["alerts.urls_file"], environ)}),
        ping=Ping(values["ping.url"], _ping_file(values, environ)),
        hooks=Hooks(**section("hooks")),
        log=Log(**section("log")),
    )


def _daemon(values: Mapping[str, Any]) -> Daemon:
    """Whoever lives must be able to say so in time, or a living worker's runs would be taken back."""
    return Daemon(**{**values, "heartbeat": min(values["heartbeat"], values["lease"] / HEARTBEATS_PER_LEASE)})


def _path(configured: str) -> Path | None:
    return Path(configured) if configured else None


def _default_url(environ: Mapping[str, str]) -> str:
    """In systemd's $STATE_DIRECTORY (the first, if there are several), else the XDG state directory."""
    directory = environ.get("STATE_DIRECTORY", "").split(":")[0]
    base = environ.get("XDG_STATE_HOME")
    fallback = Path(base, APPLICATION) if base else platformdirs.user_state_path(APPLICATION)
    return f"sqlite:///{Path(directory) if directory else fallback}/contacts-sync.db"


def _key_file(configured: str, source: Path | None, environ: Mapping[str, str]) -> Path:
    if configured:
        return Path(configured)
    return _credential("contacts-sync.key", environ) or (source.parent if source else _config_home(environ)) / "key"


def _alerts_file(configured: str, environ: Mapping[str, str]) -> Path | None:
    return Path(configured) if configured else _credential("contacts-sync.alerts", environ)


def _ping_file(values: Mapping[str, Any], environ: Mapping[str, str]) -> Path | None:
    if values["ping.url"] or values["ping.url_file"]:
        return _path(values["ping.url_file"])
    return _credential("contacts-sync.ping", environ)


def _credential(name: str, environ: Mapping[str, str]) -> Path | None:
    """A file that systemd holds ready for this service, if there is one: systemd.exec(5), LoadCredential."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and os.access(Path(directory, name), os.R_OK):
        return Path(directory, name)
    return None


# -- writing it down


def example() -> str:
    """The commented configuration file with every key and its default, as `init` writes it."""
    lines = [
        '# contacts-sync: every key with its default. Durations: "200ms", "30s", "10m", "2h", "30d".',
        "",
    ]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines += ["", f"[{section}]"] if lines[-1] else [f"[{section}]"]
        lines += [f"# {line}" for line in key.comment.splitlines()]
        lines.append(f"{key.short} = {key.shown}")
    return "\n".join(lines) + "\n"


def default_path(environ: Mapping[str, str]) -> Path:
    """Where `init` writes: the file that is named or exists, else the user's own."""
    return _find(environ) or _config_home(environ) / "config.toml"
