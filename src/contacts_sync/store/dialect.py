"""What differs between SQLite and PostgreSQL, but for `columns`, many `rows` at once and the `words_index`."""

from __future__ import annotations

import json
import select as select_
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Float,
    Subquery,
    Table,
    Text,
    cast,
    create_engine,
    event,
    func,
    make_url,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeEngine

from contacts_sync.errors import StoreUnusable

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

APPLICATION_ID = int.from_bytes(b"cSyn")  # in the header of every SQLite store of ours
PAGE_SIZE = 16_384  # a payload of a few kilobytes stays on one page
KEPT_OPEN = 32  # connections to a SQLite file: opening one costs as much as several transactions
BUSY_TIMEOUT_SECONDS = 10  # a call into SQLite hears no signal: a daemon that shall stop waits as long
CHANNEL = "contacts_sync"  # where PostgreSQL tells other processes that there is something to do
MIGRATION_LOCK = int.from_bytes(b"contacts")  # the advisory lock of whoever migrates

# `synchronous` belongs to a connection: FULL is one fsync a commit, NORMAL may lose the latest commits in a power
# cut, but never the store.
SQLITE_WRITER = (
    "PRAGMA query_only = OFF",
    "PRAGMA cache_size = -4096",
)  # KiB; SQLite's own 2 MiB hold no big account's indexes
SQLITE_PREPARE = {
    "read": ("PRAGMA query_only = ON",),
    "write": (*SQLITE_WRITER, "PRAGMA synchronous = NORMAL"),
    "durable": (*SQLITE_WRITER, "PRAGMA synchronous = FULL"),
}
SQLITE_BEGIN = {"read": "BEGIN", "write": "BEGIN IMMEDIATE", "durable": "BEGIN IMMEDIATE"}
POSTGRESQL_READ = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
POSTGRESQL_SESSION = {
    "timezone": "UTC",
    "lock_timeout": "15s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "gin_pending_list_limit": "32MB",  # words of a big account wait for autovacuum, which files many for less
}
POSTGRESQL_CONNECT = {
    "application_name": "contacts-sync",
    "client_encoding": "utf8",  # or a database in SQL_ASCII answers in bytes, before it can be refused
    "connect_timeout": 10,
    "keepalives_idle": 15,  # and three probes unanswered: a peer that is gone is noticed within half a minute
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": " ".join(f"-c {name}={value}" for name, value in POSTGRESQL_SESSION.items()),
}
PREPARING = "prepare_threshold"  # the driver's parameter; all that an address may say of it is "none"

# -- engines


def parse_url(address: str) -> URL:
    """The address of a store. Raises `StoreUnusable`, unquoted, if it is neither a file nor PostgreSQL."""
    hint = 'database.url is "sqlite:////path/to/file.db" or "postgresql+psycopg://user@host/database"'
    try:
        url = make_url(address)
    except ArgumentError:
        raise StoreUnusable("the store's address is no database URL", hint=hint) from None
    if url.query.get(PREPARING, "none") != "none":
        raise StoreUnusable(f"{PREPARING} in the store's address can only be none", hint=hint)
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite" or not url.database or url.database.startswith(("file:", ":")):
        raise StoreUnusable(f"a store can't be kept in {url.drivername!r} like that", hint=hint)
    return url


def file_of(url: URL) -> Path | None:
    """The file of a SQLite store; None for a server."""
    return Path(url.database or "").absolute() if url.drivername == "sqlite" else None


def make_engine(url: URL) -> Engine:
    """A pool of connections to an existing store. Nothing is opened yet."""
    path = file_of(url)
    if path is not None:
        return sqlite_engine(path)
    # behind a pooler of transactions, such as PgBouncer, a session's prepared statements are another one's
    unprepared = {PREPARING: None} if PREPARING in url.query else {}
    try:
        engine = create_engine(
            url.difference_update_query([PREPARING]),
            hide_parameters=True,
            pool_size=5,
            max_overflow=15,
            connect_args=POSTGRESQL_CONNECT | unprepared,
        )
    except ModuleNotFoundError:
        raise StoreUnusable(
            "PostgreSQL needs psycopg, which isn't installed", hint="pip install 'contacts-sync[postgres]'"
        ) from None
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _refuse_dead(connection: Any, _record: object, _proxy: object) -> None:
    """A server that goes away says so, and a connection at rest hears nothing else. To ask each time, as
    `pool_pre_ping` does, would be a round trip more for every transaction.

    After a reader SQLAlchemy leaves a connection asking for READ WRITE, over the operator's head where the database
    is set read-only; a standby takes the mere word for a feature that it lacks. None is what the server says.
    """
    try:
        if connection.closed or _is_readable(connection.fileno()):
            connection.execute("SELECT 1")
            connection.rollback()
        if connection.read_only is False:
            connection.read_only = None
    except connection.Error as error:
        raise DisconnectionError from error


def _is_readable(descriptor: int) -> bool:
    poll = select_.poll()
    poll.register(descriptor, select_.POLLIN)
    return bool(poll.poll(0))


def sqlite_engine(path: Path) -> Engine:
    """A pool of connections to an existing SQLite file; a missing file is never created."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine(
        "sqlite://",
        creator=connect,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=KEPT_OPEN,
        max_overflow=-1,
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows only ASCII


def _lower(value: str | None) -> str | None:
    return value.lower() if value is not None else None


def begin(tx: Connection, mode: str, *, autocommit: bool) -> None:
    """Begin a `read`, `write` or `durable` transaction. PostgreSQL's begins with its first statement, unless with
    `autocommit` each statement is one by itself.
    """
    connection, known = driver(tx), tx.info
    if is_server(tx.dialect):
        if connection.autocommit is not autocommit:
            connection.autocommit = autocommit
        return
    if known.get("mode") != mode:  # seldom: to say it to each transaction would double what beginning costs
        for statement in SQLITE_PREPARE[mode]:
            connection.execute(statement)
        known["mode"] = mode
    connection.execute(SQLITE_BEGIN[mode])


def driver(tx: Connection) -> Any:
    """The driver's own connection: SQLAlchemy's work for a small statement costs ten times the database's."""
    return tx.connection.dbapi_connection


def reading(engine: Engine, path: Path | None) -> Engine:
    """Connections for readers: of the same pool, or of their own to a file, so that the writer's stays warm."""
    return engine.execution_options(**POSTGRESQL_READ) if path is None else sqlite_engine(path)


def format_sqlite(connection: sqlite3.Connection) -> None:
    """Give an empty SQLite file the properties that last: page size, write-ahead log, our mark."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnusable(
            "the file system can't hold a store: SQLite finds no shared memory there, as on network file systems",
            hint="set database.url to a file on a local disk, or keep the store in PostgreSQL",
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def is_server(dialect: Dialect) -> bool:
    """True for PostgreSQL."""
    return dialect.name == "postgresql"


# -- listening


def listen(connection: Connection) -> None:
    """Prepare a connection of its own to hear what `announce` says. SQLite counts others' commits anyway."""
    if is_server(connection.dialect):
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")


def changes_heard(connection: Connection, seen: int, patience: float, stop: threading.Event) -> int:
    """`seen`, or another number if there was a change; takes about `patience` seconds if there was none."""
    driver: Any = connection.connection.dbapi_connection
    if is_server(connection.dialect):
        return seen + len(list(driver.notifies(timeout=patience, stop_after=1)))
    version = int(driver.execute("PRAGMA data_version").fetchone()[0])
    if version == seen:
        stop.wait(patience)
    return version


# -- statements

Upsert: TypeAlias = "sqlite.Insert | postgresql.Insert"


def upsert(tx: Connection, table: Table) -> Upsert:
    """An INSERT that can say ON CONFLICT."""
    return postgresql_dialect().insert(table) if is_server(tx.dialect) else sqlite.insert(table)


def postgresql_dialect() -> ModuleType:
    """Loaded where it is used: it brings asyncio with it, a tenth of what a command's start costs."""
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (see above)

    return postgresql


def announce(tx: Connection) -> None:
    """Wake those who watch the store once this transaction commits. On SQLite they notice by themselves."""
    if is_server(tx.dialect):
        tx.execute(select(func.pg_notify(CHANNEL, "")))


def damage(tx: Connection) -> list[str]:
    """What is broken below the tables, where the database can be asked: a line each."""
    if is_server(tx.dialect):
        return []
    found = [str(row[0]) for row in tx.exec_driver_sql("PRAGMA integrity_check(20)")]
    strangers = [f"{row[0]} row {row[1]} refers to nothing" for row in tx.exec_driver_sql("PRAGMA foreign_key_check")]
    return [line for line in found if line != "ok"] + strangers


def first_damage(tx: Connection, patience: float) -> str | None:
    """The first thing found broken within `patience` seconds, which a small file doesn't need; None for a server."""
    if is_server(tx.dialect):
        return None
    driver: Any = tx.connection.dbapi_connection
    until = time.monotonic() + patience
    driver.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        found = str(tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise
        return None
    finally:
        driver.set_progress_handler(None, 0)
    return None if found == "ok" else found


def server_clock(tx: Connection) -> datetime | None:
    """What the database server's clock says; None where the database is a file."""
    if not is_server(tx.dialect):
        return None
    now: datetime = tx.execute(select(func.clock_timestamp(type_=DateTime(timezone=True)))).scalar_one()
    return now


def lock_for_migration(tx: Connection) -> None:
    """One migrator at a time, however long it takes. On SQLite the write transaction itself is that lock."""
    if is_server(tx.dialect):
        tx.exec_driver_sql("SET LOCAL statement_timeout = 0")
        tx.exec_driver_sql("SET LOCAL lock_timeout = '5min'")
        tx.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))


def encoding(tx: Connection) -> str:
    """The store's text encoding; always UTF8 for a SQLite store of ours."""
    return str(tx.exec_driver_sql("SHOW server_encoding").scalar_one()) if is_server(tx.dialect) else "UTF8"


def truncated(tx: Connection, instant: ColumnElement[Any], unit: str) -> ColumnElement[str]:
    """The `hour` or `minute` an instant lies in, as text: `2026-03-01T02`, `2026-03-01T02:15`."""
    if is_server(tx.dialect):
        return func.to_char(instant, {"hour": 'YYYY-MM-DD"T"HH24', "minute": 'YYYY-MM-DD"T"HH24:MI'}[unit])
    return func.substr(type_coerce(instant, Text), 1, {"hour": 13, "minute": 16}[unit])


def seconds_between(tx: Connection, start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """How many seconds lie between two instants."""
    if is_server(tx.dialect):
        exact = DateTime(timezone=True)
        return cast(func.extract("epoch", type_coerce(end, exact) - type_coerce(start, exact)), Float)
    days = func.julianday(type_coerce(end, Text)) - func.julianday(type_coerce(start, Text))
    return type_coerce(days, Float) * 86_400.0


def given_rows(
    tx: Connection, name: str, columns: Mapping[str, TypeEngine[Any]], rows: Iterable[Sequence[Any]]
) -> Subquery:
    """Rows of ours as something to join with, in one parameter however many they are."""
    document = json.dumps([list(row) for row in rows], default=lambda at: at.isoformat(timespec="microseconds"))
    if is_server(tx.dialect):
        listed = cast(type_coerce(document, Text), postgresql_dialect().JSONB)
        each = func.jsonb_array_elements(listed).table_valued("value")
        cells: list[ColumnElement[Any]] = [
            cast(each.c.value.op("->>")(n), kind) for n, kind in enumerate(columns.values())
        ]
    else:
        each = func.json_each(document).table_valued("value")
        cells = [
            type_coerce(func.json_extract(each.c.value, f"$[{n}]"), kind) for n, kind in enumerate(columns.values())
        ]
    return select(*(cell.label(label) for cell, label in zip(cells, columns, strict=True))).subquery(name)
