"""What all commands share: global options, configuration, logging, an open store, common options."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from contacts_sync.errors import ContactsSyncError, InvalidUsage, UnknownItem, UnknownUser

if TYPE_CHECKING:
    from contacts_sync.config import Config, Setting
    from contacts_sync.model import Connection
    from contacts_sync.store.engine import Database, Transaction
    from contacts_sync.sync.desk import Desk

Function = TypeVar("Function", bound=Callable[..., Any])
LONGEST_USER_ID = 255
LARGEST_ID = 2**63 - 1  # of a run or a contact, in either database


@dataclass(frozen=True, slots=True)
class Frame:
    """The global options of one command line."""

    config_path: str | None
    log_level: str | None
    log_format: str | None

    def load(self) -> Config:
        """The effective configuration. Raises `ConfigurationError`."""
        from contacts_sync import config

        return config.load(self._path, environ=os.environ, flags=self._flags)

    def settings(self) -> list[Setting]:
        """The effective configuration key by key, each with its origin. Raises `ConfigurationError`."""
        from contacts_sync import config

        return config.settings_in_force(self._path, environ=os.environ, flags=self._flags)

    @property
    def _path(self) -> Path | None:
        return Path(self.config_path) if self.config_path else None

    @property
    def _flags(self) -> dict[str, object]:
        given = {"log.level": self.log_level, "log.format": self.log_format}
        return {key: value for key, value in given.items() if value is not None}

    def config(self) -> Config:
        """The same for a command: it tells its own errors, and logs nothing unless that was asked for."""
        loaded = self.load()
        if self.log_level:
            self._speak(self.log_level, loaded.log.format)
        else:
            logging.getLogger().setLevel(logging.CRITICAL)
        return loaded

    def daemon_config(self) -> Config:
        """The same, with logging set up as configured."""
        loaded = self.load()
        self._speak(loaded.log.level, loaded.log.format)
        return loaded

    @contextmanager
    def store(self, config: Config, *, create: bool = False, upgrade: bool = False) -> Iterator[Database]:
        """The open store; `create` makes a missing one, `upgrade` brings an older one up to date."""
        from contacts_sync.store.engine import close, open_database

        db = open_database(config.database.url, create=create, upgrade=upgrade)
        if db.path is not None:
            warn_as_root(db.path.stat().st_uid, os.geteuid())
        try:
            yield db
        finally:
            close(db)

    def _speak(self, level: str, form: str) -> None:
        from contacts_sync import logs

        logs.configure(level=level, format=form, stream=sys.stderr)


def warn_as_root(owner: int, euid: int) -> None:
    """Root can do everything to a store of another user's, and that user perhaps nothing with what is made then."""
    from contacts_sync.cli.output import warn

    if euid == 0 and owner != 0:
        name = _name_of(owner)
        told = f"warning: this is root, but the store is {name}'s, who may not reach what root makes"
        warn(f"{told} (next: sudo -u {shlex.quote(name)} contacts-sync …)")


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


pass_frame = click.make_pass_decorator(Frame)


def json_option(function: Function) -> Function:
    """`--json`: one JSON document on stdout and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def user_argument(function: Function) -> Function:
    """One user id."""
    return click.argument(
        "user_id",
        metavar="USER",
        callback=lambda _, __, value: checked_user_id(value),
        shell_complete=users_beginning,
    )(function)


def users_argument(function: Function) -> Function:
    """Any number of user ids, each once."""
    return click.argument(
        "user_ids",
        metavar="USER...",
        nargs=-1,
        callback=lambda _, __, values: tuple(dict.fromkeys(checked_user_id(value) for value in values)),
        shell_complete=users_beginning,
    )(function)


def optional_user_argument(function: Function) -> Function:
    """One user id, or none."""
    return click.argument(
        "user_id",
        metavar="[USER]",
        required=False,
        callback=lambda _, __, value: value if value is None else checked_user_id(value),
        shell_complete=users_beginning,
    )(function)


def users_beginning(ctx: click.Context, _param: click.Parameter, beginning: str) -> list[str]:
    """Users of the store for a shell to complete; a shell has no place for errors."""
    from contacts_sync.store import connections
    from contacts_sync.store.engine import read

    given = ctx.find_root().params
    frame = Frame(given.get("config_path"), None, None)
    with suppress(ContactsSyncError), frame.store(frame.config()) as db, read(db) as tx:
        return [one.user_id for one in connections.every(tx) if one.user_id.startswith(beginning)]
    return []


def checked_user_id(user_id: str) -> str:
    """The user id, if it is one: 1-255 printable characters. Raises `InvalidUsage`."""
    if not 1 <= len(user_id) <= LONGEST_USER_ID or not user_id.isprintable():
        raise InvalidUsage(f"not a user id: {user_id[:40]!r}", hint="a user id has 1 to 255 printable characters")
    return user_id


def refuse_stranger(tx: Transaction, user_id: str | None) -> None:
    """Raise `UnknownUser` for a user that was never connected; nobody named is nobody refused."""
    from contacts_sync.store import connections

    if user_id is not None and connections.get(tx, user_id) is None:
        raise UnknownUser(user_id, why="was never connected")


def limit_option(function: Function) -> Function:
    """`--limit` of a list."""
    return click.option(
        "--limit",
        type=click.IntRange(0, 2**31 - 1),
        default=50,
        show_default=True,
        help="At most so many; 0 = all.",
    )(function)


def item_argument(what: str, *, many: bool = False) -> Callable[[Function], Function]:
    """The id of a run or a contact, or several; no number that a store can't hold ever reaches one."""
    return click.argument(
        f"{what}_id{'s' if many else ''}",
        metavar="ID..." if many else "ID",
        type=int,
        nargs=-1 if many else 1,
        required=True,
        callback=lambda _, __, value: _storable(what, value),
    )


def _storable(what: str, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
    for number in value if isinstance(value, tuple) else (value,):
        if not 0 < number <= LARGEST_ID:
            raise UnknownItem(f"there is no {what} {number}", hint=f"contacts-sync {what}s --help")
    return value


def checked_duration(option: str, text: str, *, most: timedelta) -> timedelta:
    """A duration from the command line, longer than nothing. Raises `InvalidUsage`."""
    from contacts_sync.config import format_duration, parse_duration

    expected = f"{option} is {text!r}, expected a duration up to {format_duration(most)}"
    try:
        found = parse_duration(text)
    except (ValueError, OverflowError):
        raise InvalidUsage(expected, hint='durations look like "30s", "10m", "2h" or "30d"') from None
    if not timedelta(0) < found <= most:
        raise InvalidUsage(expected, hint="choose a duration within these bounds")
    return found


def linked(tx: Transaction, user_id: str) -> Connection:
    """The user's connection, unless there is none or it was cut. Raises `UnknownUser`."""
    from contacts_sync.model import ConnectionStatus
    from contacts_sync.store import connections

    connection = connections.get(tx, user_id)
    if connection is None or connection.status is ConnectionStatus.DISCONNECTED:
        raise UnknownUser(user_id)
    return connection


def open_desk(config: Config, db: Database) -> Desk:
    """A desk for this process."""
    from contacts_sync.daemon.workers import new_worker_id
    from contacts_sync.sync import desk

    return desk.open_desk(config, db, worker_id=new_worker_id(), clock=now, stop=threading.Event())


def now() -> datetime:
    """The one clock of the commands."""
    return datetime.now(UTC)
