from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contacts_sync import logs
from contacts_sync.alerts.messages import Scene, messages
from contacts_sync.alerts.rules import Kind, Notice
from contacts_sync.alerts.stories import of_disk, stories
from contacts_sync.model import Pause
from contacts_sync.store.alerts import Alert, State
from contacts_sync.store.deliveries import Level
from contacts_sync.store.health import Sign
from tests.alerts.given import HOUR, story
from tests.health.given import FAILING, NOW, trouble

SCENE = Scene("server", 12_000)


def told(kind: Kind, **more: object) -> tuple[str, str]:
    alert = Alert(story(**more), State.OPEN, NOW - HOUR, NOW, told_at=NOW)  # type: ignore[arg-type]  # any field of a story
    (message,) = messages([Notice(kind, alert)], SCENE, NOW)
    return message.title, message.body


def test_one_kind_of_error_is_one_story_whatever_it_says_and_whoever_has_it() -> None:
    found = [
        trouble(message="Google answered 503", users=7, example="bob"),
        trouble(message="Google answered 500", users=2, example="alice"),
        trouble(signs=FAILING | Sign.OVERDUE, message="no connection", users=1, example="cyd"),
    ]
    (only,) = stories(found, None, 20)
    assert (only.key, only.users, only.detail, only.example) == ("PassingTrouble", 10, "Google answered 503", "alice")


def test_a_story_names_no_account_and_quotes_nobody() -> None:
    (only,) = stories([trouble(message="bob@example.com sent 'Anna Karenina' 1234567 ya29.abcdefgh")], None, 2)
    assert only.detail == "… sent … … [hidden]"


def test_the_operators_own_trouble_keeps_its_words_and_its_link() -> None:
    pause = Pause("OperatorTrouble", "the API is not enabled", "enable it (https://x.example)", NOW, NOW)
    (only,) = stories([], pause, 9)
    assert (only.key, only.users, only.command) == ("all.OperatorTrouble", 9, "enable it (https://x.example)")


def test_who_waits_with_everybody_is_told_by_the_pause() -> None:
    pause = Pause("OperatorTrouble", "no", "do", NOW, NOW)
    found = [trouble(signs=Sign.OVERDUE, error_type=None, message=None), trouble(signs=Sign.NEEDS_REAUTH, example="z")]
    assert [one.key for one in stories(found, pause, 9)] == ["all.OperatorTrouble", "needs_reauth"]


def test_a_disk_with_room_is_no_story() -> None:
    assert of_disk(Path("/x"), 10**9) == []
    assert of_disk(Path("/x"), 10**8)[0].detail == "0.1 GB free in /x"


def test_a_message_says_what_who_since_when_and_what_to_type() -> None:
    title, body = told(Kind.NEW, users=5)
    assert title == "contacts-sync: 5 users: Google or the network failed"
    assert body.splitlines() == [
        "Cause: Google or the network failed (PassingTrouble)",
        "Users: 5 of 12,000, for example alice",
        "Error: Google answered 503",
        "Since: 2026-03-01 11:00:00 UTC, 1 hour",
        "Look at: Google or the network",
        "Next: contacts-sync run-now --failed",
        "Host: server",
    ]


def test_an_end_says_how_long_it_lasted() -> None:
    title, body = told(Kind.OVER)
    assert title == "contacts-sync: over: alice: Google or the network failed"
    assert "Lasted: 1 hour, 2026-03-01 11:00:00 UTC to 2026-03-01 12:00:00 UTC" in body


def test_many_messages_at_once_are_one_as_grave_as_the_gravest() -> None:
    alert = Alert(story(blame="the user"), State.OPEN, NOW, NOW)
    grave = Alert(story("x"), State.OPEN, NOW, NOW)
    (message,) = messages([Notice(Kind.OVER, alert)] * 5 + [Notice(Kind.NEW, grave)], SCENE, NOW)
    assert (message.level, message.title) == (Level.FAILURE, "contacts-sync: news of 6 causes")
    assert message.body.count("over: alice") == 5


hostile = st.text(st.characters(codec="utf-8"), min_size=1, max_size=400)


@given(hostile, hostile, st.sampled_from(list(Kind)))
def test_no_text_breaks_out_of_its_line(user: str, detail: str, kind: Kind) -> None:
    found = stories([trouble(message=detail, example=user)], None, 2)
    (message,) = messages([Notice(kind, Alert(found[0], State.OPEN, NOW, NOW))], SCENE, NOW)
    assert logs.clean(message.title) == message.title
    assert len(message.body.split("\n")) <= 8
    assert all(logs.clean(line) == line for line in message.body.split("\n"))
