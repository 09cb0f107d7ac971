"""What an error means to an operator: whose trouble it is, in a few words, and the command that heals it. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from contacts_sync import errors


class Blame(StrEnum):
    """Who has to do something, or where to look."""

    USER = "the user"
    OPERATOR = "you"
    PROJECT = "your Google project"
    GOOGLE = "Google or the network"
    STORE = "the store"
    SETUP = "your configuration"
    PROGRAM = "contacts-sync"


@dataclass(frozen=True, slots=True)
class Cure:
    """`command` heals one user (`{user}`, or `{quoted}` as an option's value), `for_many` many at once, if one does."""

    blame: Blame
    title: str
    command: str
    for_many: str = ""


RETRY = "contacts-sync run-now {user}"
RETRY_ALL = "contacts-sync run-now --failed"
LOOK = "contacts-sync runs list --status failed --user={quoted}"
CONNECT = Cure(Blame.USER, "permission gone: connect again", "contacts-sync connect {user}")
LATE = Cure(Blame.PROGRAM, "late: no success since the last slot", RETRY, "contacts-sync run-now --all --no-wait")
UNSCHEDULED = Cure(
    Blame.SETUP, "never due: unreadable schedule", "contacts-sync schedule set --cron '0 2 * * *' {user}"
)
UNKNOWN = Cure(Blame.PROGRAM, "an error nobody expected: please report it", LOOK)
CURES = {
    errors.PassingTrouble: Cure(Blame.GOOGLE, "Google or the network failed", RETRY, RETRY_ALL),
    errors.PageTokenRejected: Cure(Blame.GOOGLE, "a listing broke off again and again", RETRY, RETRY_ALL),
    errors.QuotaExceeded: Cure(Blame.PROJECT, "Google's quota did not suffice", RETRY, RETRY_ALL),
    errors.RequestRejected: Cure(Blame.GOOGLE, "Google refuses a request for good", LOOK),
    errors.AccountMismatch: Cure(Blame.GOOGLE, "Google answered for another account", LOOK),
    errors.OperatorTrouble: Cure(Blame.PROJECT, "Google refuses your project", "contacts-sync check"),
    errors.GrantRejected: CONNECT,
    errors.ScopeMissing: CONNECT,
    errors.UnreadableGrant: CONNECT,
    errors.MassDeletion: Cure(Blame.OPERATOR, "mass deletion: waits for your approval", "contacts-sync status {user}"),
    errors.DeadlineExceeded: Cure(Blame.SETUP, "took longer than sync.run_deadline", RETRY, RETRY_ALL),
    errors.RunAbandoned: Cure(Blame.PROGRAM, "takes its process along: quarantined", LOOK),
    errors.KeyProblem: Cure(Blame.SETUP, "the key file can't be used", "contacts-sync check"),
    errors.ConfigurationError: Cure(Blame.SETUP, "the configuration is wrong", "contacts-sync check"),
    errors.StoreUnavailable: Cure(Blame.STORE, "the store is out of reach", "contacts-sync check"),
    errors.StoreUnusable: Cure(Blame.STORE, "the store can't be used", "contacts-sync check"),
}
BY_NAME = {kind.__name__: cure for kind, cure in CURES.items()}


def cure_for(error_type: str | None) -> Cure:
    """What the class name that a failed run carries means."""
    return BY_NAME.get(error_type or "", UNKNOWN)


def command_for(cure: Cure, user_id: str, users: int) -> str:
    """What to type for one user, or for that many of whom `user_id` is one."""
    if users > 1 and cure.for_many:
        return cure.for_many
    return cure.command.replace("{user}", errors.typed(user_id)).replace("{quoted}", shlex.quote(user_id))
