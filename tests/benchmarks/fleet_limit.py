"""The least that Python has to do for a fleet in which nothing has changed: what the daemon is measured against.

Threads, one pool of connections, and for each user a fresh access token, the labels, what has changed, and one
transaction that keeps the run's end. It knows no leases, no schedules, no labels, no errors and no encryption.

Run it as `python -m tests.benchmarks.fleet_limit BASE_URL FILE USERS THREADS`; it prints seconds and seconds of CPU.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from queue import Empty, SimpleQueue

import requests
from requests.adapters import HTTPAdapter

from tests.benchmarks.limit import PAGE

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT NOT NULL, started_at REAL, finished_at REAL);
CREATE TABLE states (user_id INTEGER PRIMARY KEY, sync_token TEXT NOT NULL, last_success_at REAL);
"""


class Fleet:
    """Users by number; each is taken by one thread."""

    def __init__(self, base_url: str, path: str, users: int, threads: int) -> None:
        self._base_url = base_url
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(TABLES)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO runs VALUES (?, 'queued', NULL, NULL)", ((n,) for n in range(users)))
        self._db.executemany("INSERT INTO states VALUES (?, '0', NULL)", ((n,) for n in range(users)))
        self._db.execute("COMMIT")
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[int] = SimpleQueue()
        for user in range(users):
            self._waiting.put(user)
        self._threads = threads
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=threads)

    def drain(self) -> None:
        """Sync everybody."""
        crew = [threading.Thread(target=self._work) for _ in range(self._threads)]
        for worker in crew:
            worker.start()
        for worker in crew:
            worker.join()

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", self._adapter)
            while True:
                try:
                    self._sync(session, self._waiting.get_nowait())
                except Empty:
                    return

    def _sync(self, session: requests.Session, user: int) -> None:
        began = time.time()
        form = {"client_id": "bench", "client_secret": "bench", "grant_type": "refresh_token", "refresh_token": "r"}
        token = session.post(f"{self._base_url}/token", data=form, timeout=60).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        labels = session.get(
            f"{self._base_url}/v1/contactGroups", params={"pageSize": "1000"}, headers=headers, timeout=60
        )
        json.loads(labels.content)
        with self._lock:
            (known,) = self._db.execute("SELECT sync_token FROM states WHERE user_id = ?", (user,)).fetchone()
        url, params = f"{self._base_url}/v1/people/me/connections", PAGE | {"syncToken": known}
        page = json.loads(session.get(url, params=params, headers=headers, timeout=60).content)
        now = time.time()
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            ended = "UPDATE runs SET status = 'succeeded', started_at = ?, finished_at = ? WHERE id = ?"
            self._db.execute(ended, (began, now, user))
            kept = "UPDATE states SET sync_token = ?, last_success_at = ? WHERE user_id = ?"
            self._db.execute(kept, (page["nextSyncToken"], now, user))
            self._db.execute("COMMIT")


def main() -> None:
    """Drain one fleet."""
    base_url, path, users, threads = sys.argv[1:]
    fleet = Fleet(base_url, path, int(users), int(threads))
    began, computed = time.perf_counter(), time.process_time()
    fleet.drain()
    print(json.dumps([time.perf_counter() - began, time.process_time() - computed]))


if __name__ == "__main__":
    main()
