"""Queue runs and see them through: what `run-now` and `runs retry` share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from contacts_sync.cli.frame import linked, now
from contacts_sync.cli.hands import Hands, daemon_lives
from contacts_sync.cli.output import note, warn
from contacts_sync.cli.progress import progress
from contacts_sync.cli.results import Result, report
from contacts_sync.config import Config
from contacts_sync.errors import StoreUnavailable, typed
from contacts_sync.model import ConnectionStatus, Pause, Run, RunKind, RunStatus, Trigger
from contacts_sync.store import nodes, runs
from contacts_sync.store.engine import Database, Transaction, read, write

LOOK_EVERY = timedelta(milliseconds=200)
BATCH = 200  # users queued in one transaction, so that others get their turn at the store


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for: users and how much to read of each.

    `wait`: True until the very end, False not at all, None unless a run is put off.
    """

    users: Mapping[str, RunKind]
    trigger: Trigger
    wait: bool | None
    as_json: bool


def carry_out(config: Config, db: Database, order: Order) -> int:
    """Queue, wait, report; the answer is the exit code.

    Raises `UnknownUser`, `KeyProblem` or `ConfigurationError` before anything is queued, `GrantRejected` if nobody
    can be synced without a new consent.
    """
    needy = _needy(db, order)
    ids: list[int] = []
    with _told_what_stays(db, ids), ExitStack() as stack:
        is_ours = order.wait is not False and len(needy) < len(order.users)
        hands = stack.enter_context(Hands(config, db)) if is_ours else None
        ids += _queue_all(db, order, needy)
        pause = _see_through(db, ids, order, hands) if hands is not None else None
    if hands is None and ids and not daemon_lives(config, db):
        note("no daemon is running: the runs wait for `contacts-sync daemon`, or for run-now without --no-wait")
    with read(db) as tx:
        ended = runs.get_many(tx, ids)
    result = Result(ended, needy, gone=len(ids) - len(ended), pause=pause, waited=hands is not None)
    return report(result, as_json=order.as_json)


@contextmanager
def _told_what_stays(db: Database, ids: Collection[int]) -> Iterator[None]:
    """Whoever interrupts the wait should know that nothing is lost, and what goes on."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(StoreUnavailable):  # then there is nothing to say: who wants out shall get out
            _tell_what_stays(db, ids)
        raise


def _tell_what_stays(db: Database, ids: Collection[int]) -> None:
    with read(db) as tx:
        left = [run for run in runs.get_many(tx, ids) if not run.status.ended]
    if left:
        note(f"{len(left)} of {len(ids)} not ended, nothing is lost: a daemon goes on, or `contacts-sync run-now`")


def _needy(db: Database, order: Order) -> list[str]:
    """The users that must consent again first. Raises `UnknownUser` if one isn't connected."""
    with read(db) as tx:
        return [user for user in order.users if linked(tx, user).status is ConnectionStatus.NEEDS_REAUTH]


# -- queueing


def _queue_all(db: Database, order: Order, needy: Collection[str]) -> list[int]:
    ids = []
    for users in _batches(user for user in order.users if user not in needy):
        with write(db, durable=True) as tx:
            queued = [_queue(tx, user, order) for user in users]
            nodes.probe_now(tx, now())
        for run, remark in queued:
            ids.append(run.id)
            if remark:
                note(remark)
    for user in needy:
        warn(f"{user} must consent again; next: contacts-sync connect {typed(user)}")
    return ids


def _batches(users: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(users, BATCH)):
        yield batch


def _queue(tx: Transaction, user: str, order: Order) -> tuple[Run, str | None]:
    """The user's run, and what is worth saying about it."""
    kind = order.users[user]
    run, created = runs.enqueue(tx, user_id=user, kind=kind, trigger=order.trigger, now=now())
    if created:
        return run, None
    if kind is run.kind or kind is RunKind.INCREMENTAL:
        return run, f"{user}: run {run.id} is {run.status} already; joined"
    if runs.make_full(tx, run.id):
        return run, f"{user}: run {run.id} is queued already, now as a full sync; joined"
    return run, f"{user}: run {run.id} is running already, not as a full sync; joined"


# -- waiting


def _see_through(db: Database, ids: Collection[int], order: Order, hands: Hands) -> Pause | None:
    """Wait until nothing more will happen soon; the answer is what everybody's runs wait for, if it is that."""
    seen: dict[int, Run] = {}
    waiting = set(ids)
    with progress(len(ids), quiet=order.as_json) as show:
        while waiting:
            with read(db) as tx:
                current, pause = runs.get_many(tx, waiting), nodes.pause(tx)
                probing = pause is not None and _is_probing(tx)
            seen |= {run.id: run for run in current}
            show(seen.values())
            going_on = [run for run in current if not run.status.ended]
            waiting = {run.id for run in going_on}
            if any(_is_due(run, pause, now()) for run in going_on):
                hands.see_to(waiting)
            elif order.wait is not True and not probing:
                return pause if going_on else None
            if waiting:
                hands.wait(LOOK_EVERY)
    return None


def _is_probing(tx: Transaction) -> bool:
    """True while somebody's run finds out whether the trouble that pauses all is over."""
    return any(run.status is RunStatus.RUNNING for run in runs.active(tx).values())


def _is_due(run: Run, pause: Pause | None, at: datetime) -> bool:
    """True for a run that is under way, or would be if somebody had a hand free."""
    if run.status is RunStatus.RUNNING:
        return True
    return run.not_before <= at and (pause is None or pause.next_probe_at <= at)
