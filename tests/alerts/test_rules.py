"""What is told, and what is not: rules over whole histories of causes that come and go."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.alerts.rules import RETURNING, Kind, Manners, decide
from contacts_sync.store.alerts import Alert, State, Story
from tests.alerts.given import HOUR, MANNERS, MINUTE, story
from tests.store.given import NOW

Told = tuple[datetime, Kind, str]


class Operator:
    """Listens while time goes by."""

    def __init__(self, manners: Manners = MANNERS) -> None:
        self.now = NOW
        self.manners = manners
        self.known: dict[str, Alert] = {}
        self.told: list[Told] = []

    def after(self, wait: timedelta, *present: Story) -> list[Kind]:
        self.now += wait
        decision = decide(self.known.values(), present, self.manners, self.now)
        self.known |= {alert.story.key: alert for alert in decision.changed}
        for key in decision.forgotten:
            del self.known[key]
        heard = [(self.now, notice.kind, notice.alert.story.key) for notice in decision.notices]
        self.told += heard
        return [kind for _, kind, _ in heard]

    def minutes(self, minutes: int, *present: Story) -> list[Kind]:
        return [kind for _ in range(minutes) for kind in self.after(MINUTE, *present)]


@pytest.fixture
def operator() -> Operator:
    return Operator()


def test_a_cause_is_told_at_once_and_then_no_more(operator: Operator) -> None:
    assert operator.after(MINUTE, story()) == [Kind.NEW]
    assert operator.minutes(300, story()) == []


def test_reminders_come_after_growing_waits_and_the_last_wait_repeats(operator: Operator) -> None:
    operator.after(MINUTE, story())
    reminders = [n for n in range(1, 80) if operator.after(HOUR, story()) == [Kind.STILL]]
    assert reminders == [6, 30, 54, 78]


def test_no_waits_are_no_reminders(operator: Operator) -> None:
    known = [Alert(story(), State.OPEN, NOW, NOW, told_at=NOW, told_users=1)]
    silent = replace(MANNERS, remind=())
    assert not decide(known, [story()], silent, NOW + 900 * HOUR).notices


def test_a_cause_that_is_gone_for_a_while_is_over_once(operator: Operator) -> None:
    operator.after(MINUTE, story())
    assert operator.minutes(9) == []
    assert operator.minutes(1) == [Kind.OVER]
    assert operator.minutes(300) == []


def test_a_cause_that_flickers_stays_open_without_a_word(operator: Operator) -> None:
    operator.after(MINUTE, story())
    assert [operator.minutes(5) + operator.minutes(1, story()) for _ in range(50)] == [[]] * 50


def test_a_cause_that_returns_within_the_hour_is_told_when_the_hour_is_over(operator: Operator) -> None:
    operator.after(MINUTE, story())
    operator.minutes(10)
    assert operator.minutes(59, story()) == []
    assert operator.minutes(1, story()) == [Kind.AGAIN]


def test_a_return_that_was_never_told_ends_without_a_word(operator: Operator) -> None:
    operator.after(MINUTE, story())
    operator.minutes(10)
    assert operator.minutes(5, story()) + operator.minutes(300) == []


def test_a_cause_that_returns_much_later_is_a_new_one(operator: Operator) -> None:
    operator.after(MINUTE, story())
    operator.minutes(11)
    assert operator.after(RETURNING, story()) == [Kind.NEW]


def test_each_dead_grant_more_is_told_but_at_most_once_an_hour(operator: Operator) -> None:
    operator.after(MINUTE, story("needs_reauth", users=2))
    heard = [operator.after(MINUTE, story("needs_reauth", users=2 + n)) for n in range(1, 61)]
    assert heard == [[]] * 59 + [[Kind.MORE]]
    assert operator.after(HOUR, story("needs_reauth", users=62)) == []


def test_a_dead_grant_after_another_one_was_healed_is_told(operator: Operator) -> None:
    operator.after(MINUTE, story("needs_reauth", users=2))
    operator.after(HOUR, story("needs_reauth", users=1))
    assert operator.after(HOUR, story("needs_reauth", users=2)) == [Kind.MORE]


def test_other_causes_are_told_again_when_twice_as_many_suffer(operator: Operator) -> None:
    operator.after(MINUTE, story(users=5))
    assert operator.after(HOUR, story(users=9)) == []
    assert operator.after(HOUR, story(users=10)) == [Kind.MORE]


def test_a_cause_that_isnt_urgent_is_watched_for_a_while_and_what_passes_meanwhile_is_no_news() -> None:
    operator = Operator(replace(MANNERS, group_wait=5 * MINUTE))
    assert operator.minutes(3, story()) + operator.minutes(20) == []
    heard = operator.minutes(5, story(users=3)) + operator.minutes(1, story(users=40))
    assert heard == [Kind.NEW]
    assert operator.known["PassingTrouble"].told_users == 40
    assert operator.after(MINUTE, story("needs_reauth")) == [Kind.NEW]


def test_two_causes_dont_disturb_each_other(operator: Operator) -> None:
    operator.after(MINUTE, story("a"))
    assert operator.minutes(10, story("b")) == [Kind.NEW, Kind.OVER]


def test_a_told_at_in_the_future_doesnt_silence_for_ever() -> None:
    ahead = Alert(story(), State.WAITING, NOW, NOW, told_at=NOW + 9000 * HOUR)
    assert decide([ahead], [story()], MANNERS, NOW).notices


def test_what_is_long_over_is_forgotten(operator: Operator) -> None:
    operator.after(MINUTE, story())
    operator.minutes(10)
    operator.after(timedelta(days=31))
    assert operator.known == {}


histories = st.lists(
    st.tuples(
        st.integers(1, 90).map(lambda minutes: minutes * MINUTE),
        st.lists(st.tuples(st.sampled_from(["needs_reauth", "PassingTrouble", "all.OperatorTrouble"]), st.integers(1, 9)),
                 unique_by=lambda one: one[0], max_size=3),
    ),
    max_size=120,
)  # fmt: skip


def played(history: Sequence[tuple[timedelta, Sequence[tuple[str, int]]]]) -> Operator:
    operator = Operator()
    for wait, present in history:
        operator.after(wait, *(story(key, users) for key, users in present))
    return operator


@given(histories)
def test_a_cause_makes_at_most_one_noise_an_hour_and_one_when_it_is_over(
    history: list[tuple[timedelta, list[tuple[str, int]]]],
) -> None:
    told = played(history).told
    for key in {key for _, _, key in told}:
        noises = [at for at, kind, one in told if one == key and kind is not Kind.OVER]
        assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(noises))


@given(histories)
def test_an_end_follows_a_beginning_and_there_is_never_a_second_one(
    history: list[tuple[timedelta, list[tuple[str, int]]]],
) -> None:
    told = played(history).told
    for key in {key for _, _, key in told}:
        kinds = [kind for _, kind, one in told if one == key]
        assert kinds[0] is Kind.NEW
        for before, after in itertools.pairwise(kinds):
            begins = after in (Kind.NEW, Kind.AGAIN)
            assert begins == (before is Kind.OVER)


@given(histories)
def test_whatever_happened_a_cause_that_lasts_is_told_and_one_that_is_gone_is_over(
    history: list[tuple[timedelta, list[tuple[str, int]]]],
) -> None:
    operator = played(history)
    for _ in range(10):
        operator.after(HOUR, story("lasting"), story("needs_reauth", 3))
    assert {alert.state for alert in operator.known.values() if alert.story.key in ("lasting", "needs_reauth")} == {
        State.OPEN
    }
    for _ in range(2):
        operator.after(HOUR)
    assert {alert.state for alert in operator.known.values()} == {State.OVER}
    ends = Counter(key for _, kind, key in operator.told if kind is Kind.OVER)
    begins = Counter(key for _, kind, key in operator.told if kind in (Kind.NEW, Kind.AGAIN))
    assert ends == begins


@given(histories)
def test_looking_twice_at_the_same_changes_nothing_and_tells_nothing(
    history: list[tuple[timedelta, list[tuple[str, int]]]],
) -> None:
    operator = played(history)
    present = [story(key, users) for key, users in (history[-1][1] if history else [])]
    decision = decide(operator.known.values(), present, MANNERS, operator.now)
    assert (decision.changed, decision.notices) == ((), ())
