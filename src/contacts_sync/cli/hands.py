"""Who carries queued runs out: a living daemon, or this process while there is none."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import timedelta
from types import TracebackType
from typing import Self

from contacts_sync import memory
from contacts_sync.alerts.command import Ending
from contacts_sync.alerts.hooks import Hooks
from contacts_sync.cli.frame import now, open_desk
from contacts_sync.cli.output import warn
from contacts_sync.config import Config
from contacts_sync.daemon.liveness import alive
from contacts_sync.daemon.workers import run_here
from contacts_sync.store import nodes, shared_clock
from contacts_sync.store.engine import Database, read
from contacts_sync.sync.desk import Desk
from contacts_sync.sync.keycheck import refuse_wrong_key


def daemon_lives(config: Config, db: Database) -> bool:
    """True if a daemon works on this store."""
    with read(db) as tx:
        known, at = nodes.every(tx), shared_clock.asked(tx, now())
    return any(node.role == "daemon" and alive(node, at, config.daemon.heartbeat) for node in known)


class Hands:
    """Sees to it that runs are carried out, while the block lasts. Leaves nothing claimed behind.

    Raises, before anything is queued, what would keep this process from working: `KeyProblem`, `ConfigurationError`.
    """

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self._desk = None if daemon_lives(config, db) else self._laid_out()
        self._worker: threading.Thread | None = None
        self._trouble: Exception | None = None
        self._hooks = Hooks(config.hooks)
        self._ended = threading.Event()  # a join that Ctrl-C interrupts would take the thread for ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._desk is not None:
            self._desk.stop.set()
        if self._worker is not None:
            self._worker.join()
        if kind is None:
            self._hooks.finish(self._config.daemon.shutdown_grace)
        else:
            self._hooks.close()
        self._warn_of_hooks()

    def _warn_of_hooks(self) -> None:
        """A hook's failure is nobody else's, but whoever typed the command should know."""
        bad = {name: count for name, count in self._hooks.tally.items() if name != Ending.SUCCEEDED}
        if bad:
            told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(bad.items()))
            warn(f"hooks: {told}; contacts-sync --log-level warning run-now … tells why")

    def see_to(self, run_ids: Collection[int]) -> None:
        """Have these runs carried out: by the daemon, or by a thread here. To be called again and again.

        Raises what ended the thread.
        """
        if self._worker is not None and self._worker.is_alive():
            return
        if self._trouble is not None:
            raise self._trouble
        if not daemon_lives(self._config, self._db):
            self._begin(run_ids)

    def wait(self, patience: timedelta) -> None:
        """Wait for that long, or until the thread here has ended."""
        if self._ended.wait(patience.total_seconds()):
            self._ended.clear()

    def _begin(self, run_ids: Collection[int]) -> None:
        if self._desk is None or self._desk.stop.is_set():
            self._desk = self._laid_out()
        self._worker = threading.Thread(target=self._work, args=(self._desk, run_ids), name="run-here")
        self._worker.start()

    def _work(self, desk: Desk, run_ids: Collection[int]) -> None:
        try:
            run_here(desk, run_ids, self._hooks.ran)
        except Exception as error:  # noqa: BLE001  (the end of a thread: the main one raises it)
            self._trouble = error
        finally:
            self._ended.set()

    def _laid_out(self) -> Desk:
        memory.return_large_blocks()
        refuse_wrong_key(self._db, self._config.secrets.key_file)
        return open_desk(self._config, self._db)
