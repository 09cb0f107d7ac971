"""Which errors, how often, how long. The only room that knows tenacity."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.nap import sleep_using_event

from contacts_sync import logs
from contacts_sync.errors import Remedy, StoreUnavailable, SyncError
from contacts_sync.timetable import stable_hash

Result = TypeVar("Result")

log = logs.get_logger()

FIRST_DEFERRAL = timedelta(minutes=1)
LONGEST_DEFERRAL = timedelta(minutes=15)
GIVE_UP_DEFERRING_AFTER = timedelta(hours=6)


def is_passing(error: BaseException) -> bool:
    """True if another attempt may work."""
    return isinstance(error, StoreUnavailable) or (isinstance(error, SyncError) and error.remedy is Remedy.RETRY)


def attempt_repeatedly(
    attempt: Callable[[], Result],
    *,
    attempts: int,
    spent: int,
    backoff: Sequence[timedelta],
    stop: threading.Event,
) -> Result:
    """The result of `attempt`: called until it returns, raises what no retry can help, or was tried often enough.

    `spent` attempts of earlier claims count, but a claim always gets one. The n-th wait follows the n-th failed
    attempt; the last wait of `backoff` serves for all later ones. A wait ends at once when `stop` is set.
    """
    retrying = Retrying(
        stop=stop_after_attempt(max(1, attempts - spent)),
        wait=lambda state: wait_seconds(spent + state.attempt_number, backoff, _error(state)),
        retry=retry_if_exception(is_passing),
        sleep=sleep_using_event(stop),
        before_sleep=_tell,
        reraise=True,
    )
    return retrying(attempt)


def wait_seconds(failed: int, backoff: Sequence[timedelta], error: BaseException | None) -> float:
    """Seconds to wait after the `failed`-th failed attempt; a Retry-After wins when it is longer."""
    planned = backoff[min(failed, len(backoff)) - 1] if backoff else timedelta(0)
    asked = getattr(error, "retry_after", None) or timedelta(0)
    return max(planned, asked).total_seconds()


def deferral(user_id: str, deferrals: int, retry_after: timedelta | None) -> timedelta:
    """How long a run over quota waits: what Google asks, else a minute, doubling up to a quarter of an hour, and up to
    a quarter more, by user and turn: who met the quota together shall not meet it together again.
    """
    growing = min(FIRST_DEFERRAL * 2 ** min(deferrals, 10), LONGEST_DEFERRAL)
    return retry_after or growing + growing * (stable_hash(user_id, f"deferral {deferrals}") % 1000) / 4000


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _tell(state: RetryCallState) -> None:
    error = _error(state)
    log.warning(
        "attempt_failed",
        error_type=type(error).__name__,
        error=str(error),
        next_attempt_in_seconds=round(state.upcoming_sleep, 3),
    )
