"""How runs came out: lines or JSON on stdout, what to do next on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contacts_sync.cli.boundary import document, line
from contacts_sync.cli.output import instant, print_json, say, warn
from contacts_sync.cli.shapes import run_line
from contacts_sync.documents import run_document
from contacts_sync.errors import (
    ContactsSyncError,
    GrantRejected,
    MassDeletion,
    OperatorTrouble,
    PassingTrouble,
    RunDeferred,
    ScopeMissing,
    UnreadableGrant,
    typed,
)
from contacts_sync.model import Pause, Run, RunStatus

DONE, FAILED = 0, 1
NEEDS_CONSENT = {error.__name__ for error in (GrantRejected, ScopeMissing, UnreadableGrant)}
MOST_ERRORS = 20  # told one by one


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an order: its runs, the users that must consent first, how many runs were purged meanwhile,
    what everybody waits for, and whether anybody waited for an end at all.
    """

    runs: Sequence[Run]
    needy: Sequence[str]
    gone: int
    pause: Pause | None
    waited: bool

    @property
    def failed(self) -> list[Run]:
        """Runs that ended without success."""
        return [run for run in self.runs if run.status in (RunStatus.FAILED, RunStatus.CANCELLED)]

    @property
    def put_off(self) -> list[Run]:
        """Runs that nobody waits for any longer, though somebody wanted to."""
        return [run for run in self.runs if self.waited and not run.status.ended]


def report(result: Result, *, as_json: bool) -> int:
    """Tell it; the answer is the exit code.

    Raises `GrantRejected` if nothing could be queued.
    """
    if result.needy and not result.runs:
        raise _no_grant(result.needy)
    trouble = _trouble(result)
    told = [trouble] if trouble else _beside(result)
    if as_json:
        error = {"error": document(told[0])} if told and told[0].exit_code == _exit_code(result, trouble) else {}
        print_json({"runs": [run_document(run) for run in result.runs], **error})
    else:
        for run in result.runs:
            say(run_line(run))
    _tell_failures(result)
    for one in told:
        warn(line(one))
    return _exit_code(result, trouble)


def _no_grant(needy: Sequence[str]) -> GrantRejected:
    return GrantRejected(
        f"the user must consent again: {', '.join(needy)}", hint=f"contacts-sync connect {typed(needy[0])}"
    )


def _tell_failures(result: Result) -> None:
    for run in result.failed[:MOST_ERRORS]:
        why = f"{run.error_type}: {run.error_message}" if run.error_type else run.error_message or "cancelled"
        warn(f"error: run {run.id} of {run.user_id} {run.status}: {why} (next: {_next(run)})")
    if len(result.failed) > MOST_ERRORS:
        warn(f"error: {len(result.failed)} runs failed in all (next: contacts-sync runs list --status failed)")
    if result.gone:
        warn(f"error: {result.gone} runs were purged with their users (next: contacts-sync status)")


def _next(run: Run) -> str:
    if run.error_type in NEEDS_CONSENT:
        return f"contacts-sync connect {typed(run.user_id)}"
    if run.error_type == MassDeletion.__name__:
        return f"if that is right, contacts-sync runs approve {run.id}"
    return f"contacts-sync runs show {run.id}"


def _trouble(result: Result) -> ContactsSyncError | None:
    """Why runs that were waited for haven't ended, unless others have failed anyway."""
    if not result.put_off:
        return None
    if result.pause is not None:
        kind = PassingTrouble if result.pause.error_type == PassingTrouble.__name__ else OperatorTrouble
        return kind(result.pause.message, hint=result.pause.hint)
    return None if result.failed or result.needy or result.gone else _deferred(result.put_off)


def _deferred(waiting: Sequence[Run]) -> RunDeferred:
    first = min(waiting, key=lambda run: run.not_before)
    more = f"; {len(waiting) - 1} more are deferred" if len(waiting) > 1 else ""
    return RunDeferred(
        f"run {first.id} of {first.user_id} is deferred and goes on at {instant(first.not_before)}{more}",
        hint="nothing while a daemon runs: it goes on by itself; --wait waits for it",
    )


def _beside(result: Result) -> list[ContactsSyncError]:
    """What there is to tell besides failed runs: who couldn't be queued, and who isn't done."""
    needy = [_no_grant(result.needy)] if result.needy else []
    return [*needy, *([_deferred(result.put_off)] if result.put_off else [])]


def _exit_code(result: Result, trouble: ContactsSyncError | None) -> int:
    if trouble is not None:
        return trouble.exit_code
    if not (result.failed or result.needy or result.gone):
        return DONE
    consent_heals_all = not result.gone and all(run.error_type in NEEDS_CONSENT for run in result.failed)
    return GrantRejected.exit_code if consent_heals_all else FAILED
