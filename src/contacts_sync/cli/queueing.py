"""Queue runs and see them through: what `run-now` and `runs retry` share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from contacts_sync.cli.frame import linked, now, open_desk
from contacts_sync.cli.output import instant, note, print_json, say
from contacts_sync.cli.progress import Progress
from contacts_sync.cli.shapes import run_document, run_line
from contacts_sync.config import Config
from contacts_sync.daemon.liveness import alive
from contacts_sync.daemon.workers import run_here
from contacts_sync.errors import GrantRejected, OperatorTrouble, RunDeferred
from contacts_sync.model import ConnectionStatus, Pause, Run, RunKind, RunStatus, Trigger
from contacts_sync.store import nodes, runs
from contacts_sync.store.engine import Database, Transaction, read, write

LOOK_EVERY = timedelta(milliseconds=100)
FAILED, NEEDS_CONSENT = 1, 4


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. `wait`: True until the very end, False not at all, None unless a run is put off."""

    users: Sequence[str]
    trigger: Trigger
    full: bool
    wait: bool | None
    as_json: bool


def carry_out(config: Config, db: Database, order: Order) -> int:
    """Queue, wait, report; the answer is the exit code.

    Raises `UnknownUser` before anything is queued, `GrantRejected` if nobody can be synced without a new consent,
    `RunDeferred` for a run that waits for Google's quota, `OperatorTrouble` if everybody's runs are paused.
    """
    with write(db, durable=True) as tx:
        needy = [user for user in order.users if linked(tx, user).status is ConnectionStatus.NEEDS_REAUTH]
        ids = [_queue(tx, user, order).id for user in order.users if user not in needy]
        nodes.probe_now(tx, now())
    for user in needy:
        note(f"{user} must consent again: contacts-sync connect {user}")
    if order.wait is not False and ids:
        with _carried_out(config, db, ids):
            pause = _see_through(db, ids, order)
    else:
        pause = None
    with read(db) as tx:
        ended = runs.get_many(tx, ids)
    return _report(order, ended, needy, pause)


def _queue(tx: Transaction, user: str, order: Order) -> Run:
    kind = RunKind.FULL if order.full else RunKind.INCREMENTAL
    run, created = runs.enqueue(tx, user_id=user, kind=kind, trigger=order.trigger, now=now())
    if created:
        return run
    if order.full and run.kind is not RunKind.FULL:
        turned = "queued, now as a full sync" if runs.make_full(tx, run.id) else "running, not as a full sync"
        note(f"{user}: run {run.id} is {turned}; joined")
    else:
        note(f"{user}: run {run.id} is {run.status} already; joined")
    return run


@contextmanager
def _carried_out(config: Config, db: Database, ids: Sequence[int]) -> Iterator[None]:
    """Have somebody carry the runs out: the daemon, or a thread of this process if there is none."""
    if _has_daemon(config, db):
        yield
        return
    desk = open_desk(config, db)
    worker = threading.Thread(target=run_here, args=(desk, ids), name="run-here")
    worker.start()
    try:
        yield
    finally:
        desk.stop.set()
        worker.join()


def _has_daemon(config: Config, db: Database) -> bool:
    with read(db) as tx:
        known = nodes.every(tx)
    return any(node.role == "daemon" and alive(node, now(), config.daemon.heartbeat) for node in known)


def _see_through(db: Database, ids: Sequence[int], order: Order) -> Pause | None:
    """Show progress until nothing more will happen soon; the answer is what everybody waits for, if they do."""
    with Progress(len(ids), quiet=order.as_json) as progress:
        while True:
            with read(db) as tx:
                current, pause = runs.get_many(tx, ids), nodes.pause(tx)
            progress.show(current)
            if all(run.status.ended for run in current):
                return None
            if order.wait is not True and _is_put_off(current, pause):
                return pause
            time.sleep(LOOK_EVERY.total_seconds())


def _is_put_off(current: Sequence[Run], pause: Pause | None) -> bool:
    """True if the runs that haven't ended are all queued for later."""
    paused = pause is not None and pause.next_probe_at > now()
    waiting = [run for run in current if not run.status.ended]
    return all(
        run.status is RunStatus.QUEUED and (paused or (run.deferred_since and run.not_before > now()))
        for run in waiting
    )


def _report(order: Order, ended: Sequence[Run], needy: Sequence[str], pause: Pause | None) -> int:
    if order.as_json and not _nothing_but_trouble(ended, needy):
        print_json({"runs": [run_document(run) for run in ended]})
    elif not order.as_json:
        for run in ended:
            say(run_line(run) if run.status.ended else f"{run.user_id}: run {run.id} is {run.status}")
    return 0 if order.wait is False and not needy else _exit_code(order, ended, needy, pause)


def _nothing_but_trouble(ended: Sequence[Run], needy: Sequence[str]) -> bool:
    """True if the one JSON document is the error's."""
    return not ended and bool(needy)


def _exit_code(order: Order, ended: Sequence[Run], needy: Sequence[str], pause: Pause | None) -> int:
    if not ended and needy:
        raise GrantRejected(
            f"the user must consent again: {', '.join(needy)}", hint=f"contacts-sync connect {needy[0]}"
        )
    failed = [run for run in ended if run.status in (RunStatus.FAILED, RunStatus.CANCELLED)]
    waiting = [run for run in ended if not run.status.ended] if order.wait is not False else []
    for run in failed:
        if run.error_type in GRANT_ERRORS:
            note(f"{run.user_id} must consent again: contacts-sync connect {run.user_id}")
    if pause is not None and waiting:
        if order.as_json:
            note(f"error: {pause.message} (next: {pause.hint})")
            return FAILED
        raise OperatorTrouble(pause.message, hint=pause.hint)
    if failed or needy:
        return NEEDS_CONSENT if all(run.error_type in GRANT_ERRORS for run in failed) else FAILED
    if waiting:
        return _put_off(order, waiting)
    return 0


def _put_off(order: Order, waiting: Sequence[Run]) -> int:
    message = "; ".join(
        f"run {run.id} of {run.user_id} is deferred by Google's quota and goes on at {instant(run.not_before)}"
        for run in waiting
    )
    if order.as_json:
        note(message)
        return RunDeferred.exit_code
    raise RunDeferred(message, hint="nothing: it goes on by itself while a daemon runs; --wait waits for it")


GRANT_ERRORS = {"GrantRejected", "ScopeMissing", "UnreadableGrant"}
