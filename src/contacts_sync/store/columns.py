"""The columns of our tables: types that are the same to us in both databases, and what only one of them has."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Integer,
    Text,
    cast,
    text,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler, TypeCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from contacts_sync.store.dialect import is_server, postgresql_dialect

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # what can't be read as an instant
ID = BigInteger().with_variant(Integer, "sqlite")
NEVER_REUSED: dict[str, Any] = {"sqlite_autoincrement": True}
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


def where(condition: str) -> dict[str, Any]:
    """The keyword arguments that make an index partial, for migrations, which create it."""
    return {**partial(condition), "postgresql_where": text(condition)}


def partial(condition: str) -> dict[str, Any]:
    """The same for a mere description: PostgreSQL's word for it would load its dialect, a tenth of any start."""
    return {"sqlite_where": text(condition)}


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: timestamptz, or ISO 8601 text of one width, so that text order is time order."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Timestamptz on PostgreSQL."""
        return DateTime(timezone=True) if is_server(dialect) else Text()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive time: whose clock would it be?"""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store keeps aware instants only")
        value = value.astimezone(UTC)
        return value if is_server(dialect) else value.isoformat(timespec="microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002  (SQLAlchemy's signature)
        """Aware UTC, whatever the session's time zone."""
        return _in_utc if is_server(dialect) else _read_text


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _read_text(value: Any) -> datetime | None:
    """A row that somebody has edited to nonsense must not keep everybody's from being read."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return LONG_AGO
    if at.tzinfo is None:  # as some were written once
        return at.replace(tzinfo=UTC)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


class ListOf(TypeDecorator[Collection[Any]]):
    """However many values in one parameter, for `one_of`: an array, or JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array on PostgreSQL."""
        return postgresql_dialect().ARRAY(self.item) if is_server(dialect) else Text()

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        """Text and numbers only."""
        return list(value or ()) if is_server(dialect) else json.dumps(list(value or ()))


class one_of(FunctionElement[bool]):  # noqa: N801  (named like the function it is in SQL)
    """True where the column has one of the values of a `ListOf`."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> one_of:  # noqa: ARG002  (SQLAlchemy's signature)
        """As it is: SQLAlchemy would compare it with 1 on SQLite, which then uses no index."""
        return self


@compiles(one_of, "postgresql")
def _any(element: one_of, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} = ANY({values})"


@compiles(one_of, "sqlite")
def _in_json(element: one_of, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(clause, **more) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  (names and marks of ours)


class json_rows(FunctionElement[str]):  # noqa: N801  (see above)
    """All rows of a query in one JSON text: a list of lists."""

    type = Text()
    inherit_cache = True


@compiles(json_rows, "postgresql")
def _json_agg(element: json_rows, compiler: SQLCompiler, **more: Any) -> str:
    rows = f"json_agg(json_build_array({compiler.process(element.clauses, **more)}))"
    return f"COALESCE(CAST({rows} AS TEXT), '[]')"  # of no rows it is null


@compiles(json_rows, "sqlite")
def _json_group_array(element: json_rows, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **more)}))"


class JsonText(UserDefinedType[str]):
    """JSON as text on our side, never parsed by us; JSONB where the database has it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Plain text, but see `_jsonb`."""
        return "TEXT"

    def bind_expression(self, bindvalue: BindParameter[str]) -> ColumnElement[str]:
        """Text in."""
        return cast(type_coerce(bindvalue, Text), self)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Text out."""
        return cast(column, Text)


@compiles(JsonText, "postgresql")
def _jsonb(_type: JsonText, _compiler: TypeCompiler, **_: Any) -> str:
    return "JSONB"


def compress_lightly(tx: Connection, table: str, column: str) -> None:
    """Have a column's new values compressed by lz4, or not at all by a PostgreSQL that was built without it.

    Its own way of compressing took a fifth of all the time that it needs for a contact.
    """
    if not is_server(tx.dialect):
        return
    methods = tx.exec_driver_sql("SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'").scalar()
    how = "COMPRESSION lz4" if "lz4" in (methods or ()) else "STORAGE EXTERNAL"
    tx.exec_driver_sql(f"ALTER TABLE {table} ALTER COLUMN {column} SET {how}")
