from __future__ import annotations

import pytest

from contacts_sync import errors
from contacts_sync.errors import SyncError
from contacts_sync.health.causes import Cause, causes
from contacts_sync.health.cures import Blame, cure_for
from contacts_sync.health.verdicts import Health
from contacts_sync.model import Pause
from contacts_sync.store.health import Sign
from tests.health.given import NOW, trouble

PAUSE = Pause("OperatorTrouble", "the People API is not enabled", "enable it in the console", NOW, NOW)


def only(found: list[Cause]) -> Cause:
    (cause,) = found
    return cause


def test_the_same_error_of_many_users_is_one_story_with_a_count() -> None:
    found = causes([trouble(users=30), trouble(Sign.FAILING, users=7, example="aaron")], None, 1000)
    cause = only(found)
    assert (cause.users, cause.blame, cause.example) == (37, Blame.GOOGLE, "aaron")
    assert cause.command == "contacts-sync run-now --failed"


def test_what_is_particular_to_a_user_does_not_make_another_story() -> None:
    one = trouble(error_type="UnreadableGrant", message="no key opens the tokens of user 'bob'")
    other = trouble(error_type="UnreadableGrant", message="no key opens the tokens of user 'cyd'")
    assert only(causes([one, other], None, 9)).detail == "no key opens the tokens of user …"


def test_different_errors_are_different_stories_the_largest_first() -> None:
    found = causes([trouble(), trouble(error_type="RequestRejected", users=5)], None, 9)
    assert [(cause.error_type, cause.users) for cause in found] == [("RequestRejected", 5), ("PassingTrouble", 1)]


def test_what_google_does_to_one_of_many_is_about_that_user() -> None:
    assert only(causes([trouble()], None, 9)).blame is Blame.USER
    assert only(causes([trouble()], None, 1)).blame is Blame.GOOGLE


@pytest.mark.parametrize(
    ("signs", "health", "command"),
    [
        (Sign.NEEDS_REAUTH | Sign.FAILING, Health.NEEDS_REAUTH, "contacts-sync connect 'al ice'"),
        (Sign.FAILING, Health.FAILING, "contacts-sync run-now 'al ice'"),
        (Sign.UNSCHEDULED, Health.PAUSED, "contacts-sync schedule set --cron '0 2 * * *' 'al ice'"),
        (Sign.OVERDUE, Health.LATE, "contacts-sync run-now 'al ice'"),
    ],
)
def test_each_trouble_names_the_command_that_heals_it(signs: Sign, health: Health, command: str) -> None:
    cause = only(causes([trouble(signs, example="al ice")], None, 9))
    assert (cause.health, cause.command) == (health, command)


def test_a_pause_of_everybody_is_told_first_and_swallows_those_who_wait() -> None:
    found = causes([trouble(Sign.OVERDUE, users=40), trouble(users=2)], PAUSE, 50)
    assert [(cause.users, cause.blame) for cause in found] == [(50, Blame.PROJECT), (2, Blame.GOOGLE)]
    assert (found[0].detail, found[0].command) == (PAUSE.message, PAUSE.hint)


def test_an_error_of_our_own_asks_to_be_reported() -> None:
    cause = only(causes([trouble(error_type="KeyError", message="'x'")], None, 9))
    assert (cause.blame, cause.title) == (Blame.PROGRAM, "an error nobody expected: please report it")


def test_every_error_that_a_run_can_end_with_has_a_cure() -> None:
    within = {"SyncError", "AccessTokenRejected", "SyncTokenExpired", "LeaseLost", "Interrupted"}
    ends = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SyncError)]
    for kind in ends:
        assert kind.__name__ in within or cure_for(kind.__name__).title != cure_for("KeyError").title, kind
