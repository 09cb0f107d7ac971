"""The voice says what happened, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync import logs

SECRETS = [
    "ya29.a0AbVbY6-XyZ_1234567890",
    "1//0gAbCdEfGhIjKlMnOp-qrs",
    "4/0AVMBsJ-codecodecode1234",
    "GOCSPX-abcdefghijklmnop",
    "gAAAAABnQ0xyzABCDEFGHIJKLMNOPQRSTUV==",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
]


def said(level: str = "info", form: str = "json") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level=level, format=form, stream=stream)
    return stream


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(form: str, secret: str) -> None:
    stream = said(form=form)
    log = structlog.get_logger()
    log.info("event", value=secret, nested={"deep": [f"Bearer {secret}"]}, bytes=secret.encode())
    log.info(f"event with {secret}")
    logging.getLogger("library").warning("token=%s", secret)
    try:
        raise ValueError(f"https://x/?code={secret}&state=1")
    except ValueError:
        log.exception("failed")
    assert secret not in stream.getvalue()
    assert "hidden" in stream.getvalue()


def test_a_remembered_value_is_hidden_whatever_it_looks_like() -> None:
    stream = said()
    logs.remember("plain-looking-secret")
    structlog.get_logger().info("event", value="a plain-looking-secret here")
    assert "plain-looking" not in stream.getvalue()


def test_the_operators_secret_is_hidden_however_many_users_there_are() -> None:
    logs.remember("the-operators-secret", lasting=True)
    for number in range(1000):
        logs.remember(f"a-users-secret-{number}")
    assert logs.redacted("the-operators-secret a-users-secret-999") == f"{logs.HIDDEN} {logs.HIDDEN}"


def test_form_values_are_hidden_and_their_names_kept() -> None:
    text = logs.redacted("POST refresh_token=abc&client_secret=def&grant_type=refresh_token Bearer xyz")
    assert text == "POST refresh_token=[hidden]&client_secret=[hidden]&grant_type=refresh_token Bearer [hidden]"


def test_the_journal_is_told_how_grave_a_line_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        seen = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{seen.st_dev}:{seen.st_ino}")
        logs.configure(level="debug", format="auto", stream=stream)
        log = structlog.get_logger()
        log.error("a")
        log.warning("b")
        log.info("c")
        stream.seek(0)
        lines = stream.read().splitlines()
    assert [line[:3] for line in lines] == ["<3>", "<4>", "<6>"]
    assert json.loads(lines[0][3:])["event"] == "a"


def test_one_event_is_one_json_line_with_level_and_utc_time() -> None:
    stream = said()
    structlog.get_logger().info("run_finished", user="alice\nroot", seconds=1.5)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["seconds"]) == ("run_finished", "info", 1.5)
    assert line["timestamp"].endswith("Z")
    assert line["user"] == "alice root"


def test_talkative_libraries_are_silent_even_at_debug() -> None:
    stream = said("debug")
    logging.getLogger("requests_oauthlib.oauth2_session").debug("Obtained token %s", "x")
    logging.getLogger("urllib3.connectionpool").debug("GET /?access_token=x")
    assert stream.getvalue() == ""


def test_the_level_can_change_while_running() -> None:
    stream = said("error")
    structlog.get_logger().info("quiet")
    logs.set_level("info")
    structlog.get_logger().info("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_a_traceback_to_keep_has_no_secret_and_no_local_variables() -> None:
    local = "ya29.a0-local-variable-1234"
    try:
        raise ValueError(f"refused {local}")
    except ValueError as error:
        text = logs.traceback_text(error)
    assert "ValueError" in text
    assert local not in text


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("\x1b]52;c;ZXZpbA==\x07name", "name"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\r\nb\x00c\x9bd", "a  b c d"),
        ("abc\u202edef", "abc def"),
        ("a\u200bb\ufeffc\u2060d\u00ade\U000e0041f", "abcdef"),
        ("\x1b\u200b[31mred", " [31mred"),
        ("a\ud800b", "a b"),
        ("François ✓ 名前 👩\u200d🚀 m\u200cn", "François ✓ 名前 👩\u200d🚀 m\u200cn"),
    ],
)
def test_what_steers_a_terminal_is_taken_out(dirty: str, clean: str) -> None:
    assert logs.clean(dirty) == clean


def test_lines_of_a_traceback_stay_lines() -> None:
    assert logs.clean_lines("a\x1b[31m\n  b\rc\n") == "a\n  b c\n"


@given(st.text())
def test_cleaned_text_has_no_control_character(text: str) -> None:
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in logs.clean(text))
