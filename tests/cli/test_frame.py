"""What all commands share: words that are names, numbers, durations; configuration; a store that isn't there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.cli import boundary, root
from contacts_sync.cli.frame import checked_duration, checked_user_id, warn_as_root
from contacts_sync.errors import InvalidUsage
from tests.cli.given import connected, store
from tests.operating import Operator


@given(st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" "), min_size=1, max_size=255))
def test_any_printable_text_is_a_user_id(user_id: str) -> None:
    assert checked_user_id(user_id) == user_id


@given(st.text(max_size=20), st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), st.text(max_size=20))
def test_a_control_character_makes_no_user_id(before: str, control: str, after: str) -> None:
    with pytest.raises(InvalidUsage):
        checked_user_id(before + control + after)


@pytest.mark.parametrize(("euid", "owner", "warned"), [(0, 1234, True), (0, 0, False), (1234, 1234, False)])
def test_root_is_warned_of_a_store_that_is_somebody_elses(
    capsys: pytest.CaptureFixture[str], euid: int, owner: int, warned: bool
) -> None:
    warn_as_root(owner, euid)
    assert ("sudo -u '#1234' contacts-sync" in capsys.readouterr().err) == warned


@pytest.mark.parametrize("user_id", ["", "x" * 256])
def test_a_user_id_has_1_to_255_characters(user_id: str) -> None:
    with pytest.raises(InvalidUsage):
        checked_user_id(user_id)


@pytest.mark.parametrize(
    "words",
    [
        ["connect"],
        ["disconnect"],
        ["run-now"],
        ["status"],
        ["schedule", "show"],
        ["schedule", "reset"],
        ["contacts", "list"],
        ["runs", "list", "--user"],
    ],
)
def test_every_command_refuses_what_is_no_user_id(operator: Operator, words: list[str]) -> None:
    assert "not a user id" in operator.run(*words, "a\nb", code=2).stderr


HOSTILE = ["", "x" * 256, "a\nb", "a\rb", "\x1b]0;x\x07", "\u202ebob", "a\u200bb", "\ud800", "a\u2028b", "\x9b31m"]


@pytest.mark.parametrize(
    "words",
    [
        *(
            "connect",
            "disconnect",
            "run-now",
            "status",
            "schedule show",
            "schedule reset",
            "schedule set --cron @daily",
        ),
        *("schedule preview --from 2026-01-01 --to 2026-01-02", "contacts list", "contacts search x --user", "check"),
        *("runs list --user", "export", "disconnect --purge --yes"),
    ],
)
def test_every_command_refuses_the_same_names_in_the_same_way(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONTACTS_SYNC_DATABASE__URL", f"sqlite:///{tmp_path}/none.db")
    for user_id in HOSTILE:
        assert boundary.run(root, [*words.split(), user_id]) == 2, (words, user_id)
        said = capsys.readouterr().err
        assert said.startswith("error: not a user id: ")
        assert said.rstrip("\n").isprintable()


@pytest.mark.parametrize("user_id", ["-x", "--help", "'; drop table runs; --", "%s {}", "ü 🙂", "../x"])
def test_odd_names_work_behind_two_dashes(operator: Operator, user_id: str) -> None:
    with store(operator) as db:
        connected(db, user_id)
    assert [user["user_id"] for user in operator.json("status")["users"]] == [user_id]
    told = operator.run("schedule", "set", "--cron", "0 4 * * *", "--", user_id).stdout
    assert "0 4 * * *" in told


@pytest.mark.parametrize("words", [["runs", "show"], ["runs", "retry"], ["runs", "approve"], ["contacts", "show"]])
@pytest.mark.parametrize("number", ["1", "0", "-1", "99999999999999999999"])
def test_an_unknown_id_is_three(operator: Operator, words: list[str], number: str) -> None:
    assert f"there is no {words[0][:-1]} {number}" in operator.run(*words, "--", number, code=3).stderr


@pytest.mark.parametrize(
    "words", [["status"], ["run-now", "a"], ["runs", "list"], ["contacts", "list", "a"], ["db", "current"]]
)
def test_a_missing_store_is_78_and_says_what_makes_one(newcomer: Operator, words: list[str]) -> None:
    assert "contacts-sync init" in newcomer.run(*words, code=78).stderr
    assert not list(newcomer.home.glob("*.db"))


def test_a_wrong_configuration_is_78_with_a_line_for_each_problem(operator: Operator) -> None:
    (operator.home / "bad.toml").write_text("[sync]\nworkers = 'many'\n[log]\nlevle = 'info'\n")
    said = operator.run("--config", "bad.toml", "status", code=78).stderr
    assert len(said.splitlines()) == 2
    assert "sync.workers" in said
    assert "did you mean 'log.level'" in said


@pytest.mark.parametrize("text", ["", "5", "-5s", "0s", "31d", "99999999999999999d", "soon"])
def test_a_duration_that_cannot_be_is_wrong_usage(text: str) -> None:
    with pytest.raises(InvalidUsage, match="--keep"):
        checked_duration("--keep", text, most=timedelta(days=30))


def test_a_duration_within_its_bounds_is_taken() -> None:
    assert checked_duration("--keep", "90m", most=timedelta(days=30)) == timedelta(minutes=90)
