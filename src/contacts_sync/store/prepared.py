"""The statements of every sync: put into words once for each database, and handed to the driver as they are.

What SQLAlchemy does for each small statement costs ten times what the database does for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Delete, Dialect, Select, Update
from sqlalchemy.sql.dml import ReturningDelete, ReturningUpdate

from contacts_sync.store.dialect import driver
from contacts_sync.store.transactions import Transaction

Row = tuple[Any, ...]
Statement = Select[Any] | Update | ReturningUpdate[Any] | Delete | ReturningDelete[Any]
Convert = Callable[[Any], Any]
Key = TypeVar("Key", int, str)


def whole(changing: Update) -> Update:
    """A change whose failure ends its transaction, as each of ours does: for what it could take back by itself SQLite
    would first copy every page, which costs more than the change.
    """
    return changing.prefix_with("OR ROLLBACK", dialect="sqlite")


class Prepared:
    """A statement whose parameters have names. Values and rows are converted as SQLAlchemy would do it."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._worded: dict[str, _Worded] = {}

    def rows(self, tx: Transaction, **values: Any) -> list[Row]:
        """All rows that it finds, or returns of what it has changed."""
        worded = self._in_words_for(tx)
        return worded.read(worded.execute(tx, values).fetchall())

    def row(self, tx: Transaction, **values: Any) -> Row | None:
        """The first of these rows."""
        return next(iter(self.rows(tx, **values)), None)

    def change(self, tx: Transaction, **values: Any) -> int:
        """How many rows it has changed."""
        return int(self._in_words_for(tx).execute(tx, values).rowcount)

    def _in_words_for(self, tx: Transaction) -> _Worded:
        name = tx.dialect.name
        if name not in self._worded:
            self._worded[name] = _Worded(self._statement, tx.dialect)
        return self._worded[name]


class _Worded:
    """A statement as one database understands it."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        binds: dict[str, BindParameter[Any]] = {name: bind for bind, name in compiled.bind_names.items()}
        columns: Iterable[ColumnElement[Any]] = getattr(statement, "exported_columns", ())
        self._text = str(compiled)
        self._positions: list[str] | None = compiled.positiontup
        self._constants = {name: _plain(bind.value) for name, bind in binds.items() if not bind.required}
        self._write = _present(
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items()
        )
        self._read = _present(
            (n, column.type.dialect_impl(dialect).result_processor(dialect, None)) for n, column in enumerate(columns)
        )

    def execute(self, tx: Transaction, values: Mapping[str, Any]) -> Any:
        """A cursor of the driver's; its errors are translated where the transaction ends."""
        given = {**self._constants, **values}
        for name, convert in self._write:
            given[name] = convert(given[name])
        parameters = given if self._positions is None else [given[name] for name in self._positions]
        return self._cursor(tx).execute(self._text, parameters)

    def _cursor(self, tx: Transaction) -> Any:
        """One for each connection: psycopg's remembers how these values and rows are to be converted."""
        known = tx.info
        if self not in known:
            known[self] = driver(tx).cursor()
        return known[self]

    def read(self, rows: list[Row]) -> list[Row]:
        """The driver's rows, converted."""
        return [self._converted(row) for row in rows] if self._read else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for position, convert in self._read:
            values[position] = convert(values[position])
        return tuple(values)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value


def _present(converters: Iterable[tuple[Key, Convert | None]]) -> list[tuple[Key, Convert]]:
    """Text and numbers need none."""
    return [(key, convert) for key, convert in converters if convert is not None]
