"""How a claim ends: what each error means for the run, its user, and everybody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contacts_sync import logs
from contacts_sync.errors import (
    Interrupted,
    LeaseLost,
    PassingTrouble,
    Remedy,
    ScopeMissing,
    StoreUnavailable,
    StoreUnusable,
    SyncError,
)
from contacts_sync.model import Counters, Outcome, Pause, Run, RunStatus
from contacts_sync.store import connections, nodes, runs
from contacts_sync.store.engine import Transaction, read, write
from contacts_sync.sync import outage, retry
from contacts_sync.sync.desk import Desk

log = logs.get_logger()

PROBE_INTERVAL = timedelta(minutes=1)


def record(run: Run, error: Exception, desk: Desk) -> Run:
    """Write down what ended the claim; the answer is the run as it now stands in the store.

    A run that is no longer ours is left alone; a store that can't be written to leaves the run to its lease.
    """
    try:
        if not isinstance(error, LeaseLost):
            _settle(run, error, desk)
        with read(desk.db) as tx:
            return runs.get(tx, run.id) or replace(run, status=RunStatus.CANCELLED)  # its user was purged meanwhile
    except LeaseLost as lost:
        log.info("fenced", reason=str(lost))
    except (StoreUnavailable, StoreUnusable) as trouble:
        log.error("run_end_not_recorded", error=str(trouble), hint="the run is taken back when its lease ends")
    return run


def _settle(run: Run, error: Exception, desk: Desk) -> None:
    with write(desk.db, durable=True) as tx:
        runs.hold(tx, run, desk.worker_id, desk.clock(), desk.lease)
        current = runs.require(tx, run.id)
        if isinstance(error, Interrupted):
            runs.put_back(tx, current, desk.worker_id, desk.clock())
        elif isinstance(error, StoreUnavailable) or _remedy(error) is Remedy.DEFER:
            _defer(tx, current, error, desk)
        elif _remedy(error) is Remedy.PAUSE_ALL:
            _pause_all(tx, current, error, desk)
        elif _is_outage(tx, current, error, desk):
            _pause_all(tx, current, _everybodys(error), desk)
        else:
            _fail(tx, current, error, desk)


def _remedy(error: Exception) -> Remedy:
    return error.remedy if isinstance(error, SyncError) else Remedy.FAIL


def _is_outage(tx: Transaction, run: Run, error: Exception, desk: Desk) -> bool:
    """Passing trouble that has outlived its attempts, and not only here; while it lasts, a probe's failure is more."""
    if not retry.is_passing(error):
        return False
    known = nodes.pause(tx)
    if known is not None:
        return known.error_type == PassingTrouble.__name__
    now = desk.clock()
    return outage.is_outage(runs.latest_ends(tx, outage.USERS - 1, now), run.user_id, now)


def _everybodys(error: Exception) -> PassingTrouble:
    return PassingTrouble(f"Google fails for everybody: {error}", hint=outage.HINT)


def _defer(tx: Transaction, run: Run, error: Exception, desk: Desk) -> None:
    now = desk.clock()
    if run.deferred_since is not None and now - run.deferred_since > retry.GIVE_UP_DEFERRING_AFTER:
        _fail(tx, run, error, desk)
        return
    wait = retry.deferral(run.user_id, run.deferrals, getattr(error, "retry_after", None))
    runs.put_back(tx, run, desk.worker_id, now, not_before=now + wait, deferred=True)


def _pause_all(tx: Transaction, run: Run, error: Exception, desk: Desk) -> None:
    now = desk.clock()
    known = nodes.pause(tx)
    hint = getattr(error, "hint", "")
    since = known.since if known else now
    nodes.set_pause(tx, Pause(type(error).__name__, _told(error), hint, since, now + PROBE_INTERVAL))
    runs.put_back(tx, run, desk.worker_id, now)
    if known is None or _is_news(known, error):
        log.error("all_runs_paused", error_type=type(error).__name__, error=str(error), hint=hint)


def _is_news(known: Pause, error: Exception) -> bool:
    """An outage is told once, in whatever words it goes on; another trouble of the operator's is another story."""
    is_outage = known.error_type == type(error).__name__ == PassingTrouble.__name__
    return not is_outage and known.message != _told(error)


def _fail(tx: Transaction, run: Run, error: Exception, desk: Desk) -> None:
    runs.fail(
        tx,
        run,
        desk.worker_id,
        desk.clock(),
        error_type=type(error).__name__,
        message=_told(error),
        traceback=logs.traceback_text(error),
    )
    if _remedy(error) is Remedy.REAUTHORISE:
        connections.needs_reauth(tx, run.user_id, _reason(error))


def _reason(error: Exception) -> str:
    return "the contacts permission is missing" if isinstance(error, ScopeMissing) else _told(error)


def _told(error: Exception) -> str:
    """What is kept of an error: it may hold words of Google's, and those may hold ours."""
    return logs.redacted(str(error))


def report(outcome: Outcome) -> None:
    """One event a claim that has ended, in the level its outcome deserves."""
    run = outcome.run
    facts = {
        "kind": str(run.kind),
        "trigger": str(run.trigger),
        "outcome": str(run.status),
        "attempts": run.attempts,
        **{name: getattr(run.counters, name) for name in Counters.__slots__},
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.error is None:
        log.info("run_finished", **facts)
    elif run.status is RunStatus.QUEUED:
        tell = log.debug if _is_everybodys(outcome.error) else log.warning
        tell("run_put_back", **facts, not_before=run.not_before.isoformat(), **_trouble(outcome.error))
    elif run.status is RunStatus.CANCELLED:
        log.info("run_finished", **facts)
    else:
        log.error("run_finished", **facts, **_trouble(outcome.error))


def _is_everybodys(error: Exception) -> bool:
    """True for what pauses all runs, which `all_runs_paused` has told: each probe meets it again."""
    return _remedy(error) in (Remedy.PAUSE_ALL, Remedy.RETRY)


def _trouble(error: Exception) -> dict[str, str]:
    return {"error_type": type(error).__name__, "error": str(error), "hint": getattr(error, "hint", "")}
