"""What can go wrong, as one small tree. A class answers "what should the operator do?".

Every error carries its message, a hint that names the next step, the exit code of the command that meets it,
and, below `SyncError`, what the sync does about it: `Remedy`.
"""

from __future__ import annotations

import shlex
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar


def typed(user_id: str) -> str:
    """A user id as the last word of a command that somebody is told to type."""
    word = shlex.quote(user_id)
    return f"-- {word}" if user_id.startswith("-") else word


class Remedy(StrEnum):
    """What the sync does about an error."""

    RETRY = "retry"  # passing trouble: another attempt after a short wait
    DEFER = "defer"  # quota, or a long Retry-After: the run goes back to the queue with a `not_before`
    REAUTHORISE = "reauthorise"  # this user's grant is dead or too narrow: fail at once, pause the schedule
    PAUSE_ALL = "pause_all"  # the operator's project is in trouble: nobody's run can succeed
    FAIL = "fail"  # permanent: the run fails, the next slot comes as usual


class ContactsSyncError(Exception):
    """The root. `message` says what happened, `hint` what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def error_type(self) -> str:
        """The name under which runs and `--json` show this error."""
        return type(self).__name__


class InvalidUsage(ContactsSyncError):
    """A word of the command line is wrong: a user id, a cron expression, a time zone, an option."""

    exit_code = 2


class UnknownUser(ContactsSyncError):
    """No such user, or the user isn't connected."""

    exit_code = 3

    def __init__(self, user_id: str, *, why: str = "is not connected") -> None:
        super().__init__(f"user {user_id!r} {why}", hint=f"contacts-sync connect {typed(user_id)}")
        self.user_id = user_id


class UnknownItem(ContactsSyncError):
    """No run or contact with that id, or it isn't in the state that the command needs."""

    exit_code = 3


class ConfigurationError(ContactsSyncError):
    """The configuration is wrong: every problem found is one line of the message."""

    exit_code = 78


class KeyProblem(ContactsSyncError):
    """The key file is missing, malformed, readable by others, or doesn't open what the store holds."""

    exit_code = 78


class StoreUnusable(ContactsSyncError):
    """The store is missing, foreign, older or newer than the program: typing something else helps, waiting doesn't."""

    exit_code = 78


class StoreGone(StoreUnusable):
    """The store's file was moved, deleted or replaced while it was open: nothing more is written to what is left."""


class StoreUnavailable(ContactsSyncError):
    """The store is locked, full, or its server can't be reached: the same again later may work."""

    exit_code = 75


class DaemonRunning(ContactsSyncError):
    """Another daemon holds this SQLite store."""

    exit_code = 75


class RunDeferred(ContactsSyncError):
    """A run waits for its `not_before`; the caller asked not to wait that long."""

    exit_code = 75


class ConsentFailed(ContactsSyncError):
    """The consent was refused, timed out, came for another account, or granted too little."""


class NotConfirmed(ContactsSyncError):
    """What can't be undone was asked for, and nobody said yes."""


class ExportRefused(ContactsSyncError):
    """The export's target exists already, or can't be written."""


class SyncError(ContactsSyncError):
    """A sync, or one call to Google, failed. `remedy` is what the sync does about it."""

    remedy: ClassVar[Remedy] = Remedy.FAIL
    retry_after: timedelta | None = None


class PassingTrouble(SyncError):
    """Connection, timeout, 5xx, a truncated or non-JSON body: another attempt may work."""

    remedy = Remedy.RETRY

    def __init__(self, message: str, *, hint: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class QuotaExceeded(PassingTrouble):
    """429, a rate-limit 403, or a Retry-After too long to wait for: the run is deferred."""

    remedy = Remedy.DEFER
    exit_code = 75


class GrantRejected(SyncError):
    """The user's grant is dead (`invalid_grant`) or its access token is refused for good."""

    remedy = Remedy.REAUTHORISE
    exit_code = 4


class ScopeMissing(GrantRejected):
    """The user didn't grant access to contacts, or took it back."""


class OperatorTrouble(SyncError):
    """The operator's project or configuration is refused by Google: it concerns every user."""

    remedy = Remedy.PAUSE_ALL


class RequestRejected(SyncError):
    """Google refuses the request itself (400, 404, an unknown 403): a retry can't help."""


class AccessTokenRejected(SyncError):
    """401 from People: the access token died early. One refresh, then the same page again."""


class SyncTokenExpired(SyncError):
    """The stored sync token is no longer good: the run goes on as a full sync."""


class PageTokenRejected(SyncError):
    """Google no longer takes the page token of a listing: the listing begins again."""

    remedy = Remedy.RETRY


class MassDeletion(SyncError):
    """The run would remove very many contacts: it waits for `runs approve`."""


class DeadlineExceeded(SyncError):
    """The run took longer than `sync.run_deadline`."""


class AccountMismatch(SyncError):
    """What came is another Google account's: none of it is written."""


class RunAbandoned(SyncError):
    """The run was started again and again without an end: it kills its worker."""


class UnreadableGrant(GrantRejected):
    """The stored tokens don't open with any key of the key file, or were sealed for another user."""


class LeaseLost(SyncError):
    """This worker no longer owns the run (taken back, cancelled, disconnected): it must not write."""


class Interrupted(SyncError):
    """The process is stopping: the run goes back to the queue at the next page boundary."""
