"""The processes that run syncs, the one daemon of a SQLite store, and the pause that concerns them all."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import delete, select, update

from contacts_sync.errors import DaemonRunning, StoreUnavailable
from contacts_sync.model import Node, Pause
from contacts_sync.store import dialect, tables
from contacts_sync.store.prepared import Prepared
from contacts_sync.store.shared_clock import shared
from contacts_sync.store.transactions import Database, Transaction, read

LATELY = timedelta(seconds=30)
PAUSE = [tables.pauses.c[name] for name in Pause.__slots__]
LIFTING = Prepared(delete(tables.pauses))

# -- who is there


def beat(tx: Transaction, node: Node) -> None:
    """This process is alive; `heartbeat_at` is by our own clock."""
    node = replace(node, heartbeat_at=shared(tx, node.heartbeat_at))
    values = {name: getattr(node, name) for name in Node.__slots__}
    tx.execute(
        dialect.upsert(tx, tables.nodes)
        .values(values)
        .on_conflict_do_update(index_elements=["worker_id"], set_={"heartbeat_at": node.heartbeat_at})
    )


def leave(tx: Transaction, worker_id: str) -> None:
    """A process is gone."""
    tx.execute(delete(tables.nodes).where(tables.nodes.c.worker_id == worker_id))


def every(tx: Transaction) -> list[Node]:
    """All processes that haven't left, the dead among them, oldest first."""
    query = select(tables.nodes).order_by(tables.nodes.c.started_at, tables.nodes.c.worker_id)
    return [Node(**row) for row in tx.execute(query).mappings()]


@cache
def this_host() -> tuple[str, str]:
    """Host name and boot id: a process id means something only together with both."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return socket.gethostname(), boot_id.read_text().strip() if boot_id.exists() else ""


@contextmanager
def hold_store(db: Database) -> Iterator[None]:
    """Be the one daemon of a SQLite store while the block lasts. Any number may share PostgreSQL.

    The lock is the kernel's, on a file beside the store: it can't outlive us. Raises `DaemonRunning`.
    """
    if db.path is None:
        yield
        return
    path = db.path.with_name(f"{db.path.name}.daemon")
    lock = _open_lock(path)
    try:
        _take(lock, path, db.path)
        yield
    finally:
        os.close(lock)


@contextmanager
def without_daemons(db: Database) -> Iterator[None]:
    """The store to ourselves, to migrate it: a daemon would go on writing as the older schema wants it.

    Raises `DaemonRunning`. A daemon on a server counts as running for half a minute after its last heartbeat.
    """
    with hold_store(db):
        with read(db) as tx:
            now = dialect.server_clock(tx)
            living = [node for node in every(tx) if now and node.role == "daemon" and now - node.heartbeat_at < LATELY]
        for node in living:
            raise DaemonRunning(
                f"the store must be upgraded, and a daemon of version {node.version} works on it "
                f"(pid {node.pid} on {node.host})",
                hint="stop every daemon first; or wait half a minute if it is gone",
            )
        yield


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{path}: {error.strerror}", hint=f"check the owner and the mode of {path.parent}"
        ) from error


def _take(lock: int, path: Path, store: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = path.read_text().strip() or "another process"
        raise DaemonRunning(
            f"a daemon runs on {store} already ({holder})",
            hint="stop it first, or keep the store in PostgreSQL",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"pid {os.getpid()} on {this_host()[0]}\n".encode(), 0)


# -- the operator's trouble


def pause(tx: Transaction) -> Pause | None:
    """What keeps everybody's runs waiting."""
    row = tx.execute(select(*PAUSE)).mappings().first()
    return Pause(**row) if row else None


def set_pause(tx: Transaction, trouble: Pause) -> None:
    """Keep everybody's runs waiting, but for one probe a minute."""
    values = {name: getattr(trouble, name) for name in Pause.__slots__}
    tx.execute(
        dialect.upsert(tx, tables.pauses)
        .values(id=1, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def lift_pause(tx: Transaction) -> None:
    """Let everybody's runs go on."""
    LIFTING.change(tx)


def probe_now(tx: Transaction, now: datetime) -> None:
    """Let the next run through at once, to see whether the trouble is over."""
    tx.execute(update(tables.pauses).values(next_probe_at=now))
    dialect.announce(tx)
