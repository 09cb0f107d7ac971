"""What the end of a run is to somebody outside. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from contacts_sync.documents import run_document
from contacts_sync.errors import LeaseLost
from contacts_sync.model import Counters, Outcome, Run, RunStatus

NOTHING = Counters()


class Event(StrEnum):
    """A run has failed or succeeded; it has changed something in the store, however it ended."""

    FAILURE = "failure"
    SUCCESS = "success"
    CHANGE = "change"


def events_of(run: Run) -> tuple[Event, ...]:
    """What an end is: nothing for a run that is put back or cancelled."""
    ends = {RunStatus.FAILED: Event.FAILURE, RunStatus.SUCCEEDED: Event.SUCCESS}
    if run.status not in ends:
        return ()
    return (ends[run.status], Event.CHANGE) if run.counters != NOTHING else (ends[run.status],)


def is_ours(outcome: Outcome) -> bool:
    """False for a run that somebody else has ended, or will: who lost the lease says nothing."""
    return not isinstance(outcome.error, LeaseLost)


def document(event: Event, run: Run) -> dict[str, Any]:
    """What is told, in a line: the event, and the run as `runs show --json` has it."""
    return {"event": str(event), **run_document(run)}
