"""Many rows at once, handed to the driver as they are: SQLAlchemy's work for each of them would cost more than theirs.

Values must be what the driver takes: text, numbers, None, and instants by `stamp`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.exc import DBAPIError

from contacts_sync.store.dialect import Instant, ListOf, is_server, one_of
from contacts_sync.store.transactions import Transaction

Row = tuple[Any, ...]
MOST_PARAMETERS = 32_000  # of one statement; SQLite's own limit is 32,766


def stamp(tx: Transaction, instant: datetime) -> Any:
    """An instant as the driver takes it."""
    return Instant().process_bind_param(instant, tx.dialect)


def new_ids(tx: Transaction, table: Table, number: int) -> Sequence[int]:
    """So many ids that no row of the table has, had, or will be given by anybody else."""
    if is_server(tx.dialect):
        series = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
        return tx.exec_driver_sql(series, (table.name, number)).scalars().all()
    known = f"SELECT seq FROM sqlite_sequence WHERE name = ? UNION ALL SELECT max(id) FROM {table.name}"  # noqa: S608  (a table of ours)
    last = max(id_ or 0 for id_ in tx.exec_driver_sql(known, (table.name,)).scalars())
    return range(last + 1, last + 1 + number)


def insert(
    tx: Transaction, table: Table, columns: Sequence[str], rows: Sequence[Row], *, at_once: bool = False
) -> None:
    """Insert rows: by COPY, or on SQLite one by one or `at_once`, which is what spares a full-text index work."""
    if not rows:
        return
    names = ", ".join(columns)
    if is_server(tx.dialect):
        _copy(tx, f"COPY {table.name} ({names}) FROM STDIN", rows)
        return
    inserting = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608  (names of ours)
    if at_once:
        _execute_at_once(tx, inserting, "", rows)
    else:
        tx.exec_driver_sql(inserting + _marks(rows[0]), list(rows))


def update(tx: Transaction, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write over rows by id, which is each tuple's last value."""
    if not rows:
        return
    if is_server(tx.dialect):
        values = ", ".join(f"{column} = %s" for column in columns)
        tx.exec_driver_sql(f"UPDATE {table.name} SET {values} WHERE id = %s", list(rows))  # noqa: S608  (names of ours)
        return
    fresh = f"WITH fresh ({', '.join(columns)}, id) AS (VALUES "
    values = ", ".join(f"{column} = fresh.{column}" for column in columns)
    updating = f") UPDATE {table.name} SET {values} FROM fresh WHERE {table.name}.id = fresh.id"  # noqa: S608  (names of ours)
    _execute_at_once(tx, fresh, updating, rows)


def _execute_at_once(tx: Transaction, before: str, after: str, rows: Sequence[Row]) -> None:
    """SQLite's full-text index writes what it has gathered at the end of every statement: so, few statements."""
    most = MOST_PARAMETERS // len(rows[0])
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        statement = before + ", ".join([_marks(rows[0])] * len(some)) + after
        tx.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


def _marks(row: Row) -> str:
    return f"({', '.join('?' * len(row))})"


def _copy(tx: Transaction, statement: str, rows: Iterable[Row]) -> None:
    import psycopg  # noqa: PLC0415  (an extra: there is a server, so it is there)

    driver: Any = tx.connection.dbapi_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError(statement, None, error, hide_parameters=True) from error


def among(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """True where the column has one of these values, however many they are: they make one parameter."""
    return one_of(column, bindparam(None, values, type_=ListOf(column.type)))
