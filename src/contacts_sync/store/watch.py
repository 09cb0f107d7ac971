"""Noticing that another process has changed the store."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from sqlalchemy import Connection

from contacts_sync.store import dialect, trouble
from contacts_sync.store.transactions import Database, check_file, translated

LOOK_EVERY = timedelta(milliseconds=100)


class Watch:
    """One connection that listens. For one thread; after trouble the next `wait` connects anew."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._connection: Connection | None = None
        self._seen = 0

    def wait(self, timeout: timedelta, stop: threading.Event) -> bool:
        """Wait until something in the store may have changed; False if `timeout` passed or `stop` was set.

        The first call, and the first after trouble, answers True at once: nobody was listening before it.
        Raises `StoreUnavailable`.
        """
        until = time.monotonic() + timeout.total_seconds()
        try:
            check_file(self._db)
            if self._connection is None:
                self._listen()
                return True
            return self._hear(self._connection, until, stop)
        except self._db.engine.dialect.loaded_dbapi.Error as error:
            self.close()
            raise trouble.judge_driver(error) from error

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        with translated(self._db):
            connection = self._db.engine.connect()
        connection.detach()
        self._connection = connection
        dialect.listen(connection)
        self._seen = dialect.changes_heard(connection, self._seen, 0.0, threading.Event())

    def _hear(self, connection: Connection, until: float, stop: threading.Event) -> bool:
        """A change that comes while time runs out is heard next time."""
        while True:
            patience = max(0.0, min(LOOK_EVERY.total_seconds(), until - time.monotonic()))
            heard = dialect.changes_heard(connection, self._seen, patience, stop)
            if heard != self._seen:
                self._seen = heard
                return True
            if stop.is_set() or time.monotonic() >= until:
                return False
