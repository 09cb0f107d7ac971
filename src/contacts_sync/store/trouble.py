"""A database's error -> the one error of ours that says what to do. Pure."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from contacts_sync.errors import StoreUnavailable, StoreUnusable

MODE = "check the owner and the mode of its file and directory, and that its file system isn't read-only"
SQLITE_PASSING = {
    "SQLITE_BUSY": (
        "the store is locked by another process",
        "try again; `contacts-sync status` shows who works on it",
    ),
    "SQLITE_LOCKED": ("the store is locked", "try again"),
    "SQLITE_FULL": ("the disk is full", "free some space; the store is unharmed"),
    "SQLITE_IOERR": ("reading or writing the store failed", "see the kernel's log and the disk's free space"),
    "SQLITE_READONLY": ("the store can't be written to", MODE),
    "SQLITE_CANTOPEN": ("the store can't be opened", MODE),
    "SQLITE_NOMEM": ("out of memory", "try again"),
}
RESTORE = "restore it from a backup; the next sync brings it up to date"
SQLITE_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
LOCK_NOT_AVAILABLE, INSUFFICIENT_PRIVILEGE, READ_ONLY = "55P03", "42501", "25006"
WHO_HOLDS_IT = (
    "end its transaction; psql shows it: SELECT pid, usename, application_name, state, xact_start "
    "FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start"
)
POSTGRESQL_LASTING = ("0A", "22", "23", "28", "3D", "42", "54")  # SQLSTATE classes that waiting doesn't heal
REFUSED_AT_THE_DOOR = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "no password supplied",
)


def judge(error: SQLAlchemyError) -> StoreUnavailable | StoreUnusable:
    """What a failed statement, commit or connection means for whoever needed it."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("all connections to the store are in use", hint="try again")
    if not isinstance(error, DBAPIError) or error.orig is None:
        return StoreUnusable(f"the store can't be used: {first_line(error)}")
    return judge_driver(error.orig)


def judge_driver(error: BaseException) -> StoreUnavailable | StoreUnusable:
    """The same for an error as the driver raises it."""
    name = getattr(error, "sqlite_errorname", None)
    return _judge_server(error) if name is None else _judge_sqlite(error, name)


def _judge_sqlite(error: BaseException, name: str) -> StoreUnavailable | StoreUnusable:
    for code, (message, hint) in SQLITE_PASSING.items():
        if name.startswith(code):
            return StoreUnavailable(f"{message} ({first_line(error)})", hint=hint)
    if name.startswith(SQLITE_DAMAGED):
        return StoreUnusable(
            f"the store is damaged ({first_line(error)})",
            hint=RESTORE,
        )
    return StoreUnusable(f"the store refused a statement: {first_line(error)}", hint="contacts-sync db current")


def _judge_server(error: BaseException) -> StoreUnavailable | StoreUnusable:
    """PostgreSQL's driver names an SQLSTATE, unless there was no connection."""
    state = getattr(error, "sqlstate", None)
    line = first_line(error)
    if state is None and any(words in line for words in REFUSED_AT_THE_DOOR):
        return StoreUnusable(
            f"the database server refuses us: {line}", hint="check database.url and the server's roles"
        )
    if state == LOCK_NOT_AVAILABLE:
        return StoreUnavailable(f"another session holds a lock in the store: {line}", hint=WHO_HOLDS_IT)
    if state == READ_ONLY:
        return StoreUnavailable(
            f"the store takes no writes: {line}",
            hint="the database is set read-only, or a standby: let database.url name the primary",
        )
    if state == INSUFFICIENT_PRIVILEGE:
        return StoreUnusable(f"the database role lacks a right: {line}", hint="make it the owner of the database")
    if state is not None and state.startswith(POSTGRESQL_LASTING):
        return StoreUnusable(f"the store refused a statement: {line}", hint="contacts-sync db current")
    return StoreUnavailable(
        f"the store isn't available: {line}", hint="see that the database server is up and try again"
    )


def first_line(error: BaseException) -> str:
    """The first line of an error: later ones may quote data."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
