"""Many rows at once, handed to the driver as they are: SQLAlchemy's work for each of them would cost more than theirs.

Values must be what the driver takes: text, numbers, None, and instants by `stamp`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import chain, repeat
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Table, bindparam, select
from sqlalchemy.exc import DBAPIError

from contacts_sync.store.columns import Instant, ListOf, json_rows, one_of
from contacts_sync.store.dialect import is_server
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.transactions import Transaction

Row = tuple[Any, ...]
ROWS = msgspec.json.Decoder(list[list[Any]])
PAGE = 1_000
MOST_PARAMETERS = 32_000  # of one statement; SQLite's own limit is 32,766


def stamp(tx: Transaction, instant: datetime) -> Any:
    """An instant as the driver takes it."""
    return Instant().process_bind_param(instant, tx.dialect)


def new_ids(tx: Transaction, table: Table, number: int) -> Sequence[int]:
    """So many ids that no row of the table has, had, or will be given by anybody else."""
    if is_server(tx.dialect):
        sequence = "SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name OFFSET 0"  # OFFSET: looked up once
        series = f"SELECT nextval(name) FROM ({sequence}) AS sequence, generate_series(1, %s)"  # noqa: S608  (see above)
        return tx.exec_driver_sql(series, (table.name, number)).scalars().all()
    given = "ifnull((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)"
    highest = f"SELECT max({given}, ifnull((SELECT max(id) FROM {table.name}), 0))"  # noqa: S608  (a table of ours)
    last: int = tx.exec_driver_sql(highest, (table.name,)).scalar_one()
    return range(last + 1, last + 1 + number)


def insert(tx: Transaction, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert small rows: by COPY, or on SQLite in one statement, as one JSON text.

    Python's other threads work while a statement runs, and between two of them this one would have to wait for its
    turn.
    """
    if not rows:
        return
    if is_server(tx.dialect):
        _copy(tx, table, columns, rows)
    else:
        _insert_small(tx, table, columns, rows)


def insert_new(
    tx: Transaction, table: Table, shared: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Row]
) -> Sequence[int]:
    """Insert rows, large ones perhaps, with new ids: the answer. `shared` are the values that all of them have."""
    ids = new_ids(tx, table, len(rows))
    every = ("id", *shared, *columns)
    if isinstance(ids, range):
        for start, some in _pieces(rows, (MOST_PARAMETERS - 1 - len(shared)) // len(columns)):
            statement = _inserting_new(table, every, len(shared), len(some))
            tx.exec_driver_sql(statement, (ids[start], *shared.values(), *chain.from_iterable(some)))
    else:
        _copy(tx, table, every, [(id_, *shared.values(), *row) for id_, row in zip(ids, rows, strict=True)])
    return ids


@lru_cache(maxsize=16)
def _inserting_new(table: Table, columns: tuple[str, ...], shared: int, size: int) -> str:
    """On SQLite: the first id and what is shared are bound once for all rows."""
    same = ", ".join(f"?{n}" for n in range(2, 2 + shared))
    own = ", ".join("?" * (len(columns) - 1 - shared))
    rows = ", ".join(f"(?1 + {n}, {same}, {own})" for n in range(size))
    return f"INSERT INTO {_into(table, columns)} VALUES {rows}"  # noqa: S608  (names of ours)


def insert_of(tx: Transaction, ids: Sequence[int], table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert small rows whose first value counts in `ids`, where it belongs to the row with that id."""
    if rows and isinstance(ids, range) and not is_server(tx.dialect):
        _insert_small(tx, table, columns, rows, "+ ?", ids.start)
    else:
        insert(tx, table, columns, [(ids[row[0]], *row[1:]) for row in rows])


def _insert_small(
    tx: Transaction, table: Table, columns: Sequence[str], rows: Sequence[Row], to_first: str = "", *values: int
) -> None:
    """On SQLite. `to_first`: what is done to the first value of each row, with these `values`."""
    first, *others = [f"json_extract(value, '$[{n}]')" for n in range(len(columns))]
    selecting = f"SELECT {', '.join([f'{first} {to_first}', *others])} FROM json_each(?)"  # noqa: S608  (numbers of ours)
    text = msgspec.json.encode(rows).decode()
    tx.exec_driver_sql(f"INSERT INTO {_into(table, columns)} {selecting}", (*values, text))


def _into(table: Table, columns: Sequence[str]) -> str:
    return f"{table.name} ({', '.join(columns)})"


def update(tx: Transaction, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write over rows by id, which is each tuple's last value.

    On SQLite in few statements, at whose ends its full-text index writes what it has gathered; where rows nearly fill
    one, the last is written over once more.
    """
    if not rows:
        return
    if is_server(tx.dialect):
        values = ", ".join(f"{column} = %s" for column in columns)
        tx.exec_driver_sql(f"UPDATE {table.name} SET {values} WHERE id = %s", list(rows))  # noqa: S608  (names of ours)
        return
    values = ", ".join(f"{column} = fresh.{column}" for column in columns)
    updating = f"UPDATE {table.name} SET {values} FROM fresh WHERE {table.name}.id = fresh.id"  # noqa: S608  (names of ours)
    for _, some in _pieces(rows, MOST_PARAMETERS // len(rows[0]), filled=True):
        marks = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(some))
        statement = f"WITH fresh ({', '.join(columns)}, id) AS (VALUES {marks}) {updating}"
        tx.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


class Fetch:
    """A query for many rows of text and numbers, prepared; its parameters have names.

    From SQLite they come as one JSON text, since a thread would have to wait for its turn after each row.
    """

    def __init__(self, query: Select[Any]) -> None:
        self._query = query

    @cached_property
    def _plain(self) -> Prepared:
        return Prepared(self._query)

    @cached_property
    def _as_json(self) -> Prepared:
        return Prepared(select(json_rows(*self._query.subquery().c)))

    def rows(self, tx: Transaction, **values: Any) -> Sequence[Sequence[Any]]:
        """All rows."""
        if is_server(tx.dialect):
            return self._plain.rows(tx, **values)
        [(text,)] = self._as_json.rows(tx, **values)
        return ROWS.decode(text)


def _pieces(rows: Sequence[Row], most: int, *, filled: bool = False) -> Iterator[tuple[int, Sequence[Row]]]:
    """The rows for statements of at most so many, each with the number of its first; `filled` with the last one."""
    start = 0
    for size in sizes(len(rows), most, filled=filled):
        some = rows[start : start + size]
        yield start, [*some, *repeat(some[-1], size - len(some))]
        start += size


def sizes(rows: int, most: int, *, filled: bool = False) -> Iterator[int]:
    """Cut so many rows into statements of at most so many. Few sizes, since the driver keeps each statement it has
    prepared, and what was bound to it: whole pages of Google's, and for what is left, powers of two; `filled`: the next
    one, too, where less than a quarter of it stays free.
    """
    while rows > 0:
        size = PAGE if rows >= PAGE <= most else 1 << (min(rows, most).bit_length() - 1)
        if filled and size < PAGE and rows > size * 3 // 2 and size * 2 <= most:
            size *= 2
        yield size
        rows -= size


def _copy(tx: Transaction, table: Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
    import psycopg  # noqa: PLC0415  (an extra: there is a server, so it is there)

    statement = f"COPY {_into(table, columns)} FROM STDIN"
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


def among_given(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The same in a prepared statement, whose parameter `values` they are."""
    return one_of(column, bindparam("values", type_=ListOf(column.type)))
