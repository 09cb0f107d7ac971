"""Every exit: what is said, and with which code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import pytest
import requests

from contacts_sync.cli import boundary
from contacts_sync.errors import ConfigurationError, GrantRejected
from tests.cli.given import connected, people, store
from tests.operating import Operator, wait_until


@pytest.fixture
def operator(operator: Operator) -> Operator:
    """Starts programs as a shell does: what the interpreter makes of a locale, or of its own end, counts here."""
    operator.launcher = None
    return operator


def raising(error: BaseException) -> click.Command:
    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1)
    def command(words: tuple[str, ...]) -> None:
        raise error

    return command


def test_help_comes_with_nothing_but_click_and_the_standard_library() -> None:
    code = "import sys, contacts_sync.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {module.split(".")[0] for module in words.split("Begin with")[1].split()}
    assert not loaded & {"sqlalchemy", "requests", "rich", "structlog", "msgspec", "cryptography", "alembic"}


def test_wrong_usage_is_two_and_names_the_help(operator: Operator) -> None:
    said = operator.run("status", "--bogus", code=2)
    assert said.stderr == "error: No such option '--bogus'. (next: contacts-sync status --help)\n"
    assert not said.stdout


@pytest.mark.parametrize(
    "words", [["status", "--bogus"], ["run-now"], ["nonsense"], ["schedule"], ["runs", "show", "x"]]
)
def test_wrong_usage_is_one_json_document_too(operator: Operator, words: list[str]) -> None:
    said = operator.run(*words, "--json", code=2)
    error = json.loads(said.stdout)["error"]
    assert (error["type"], error["exit_code"]) == ("InvalidUsage", 2)
    assert error["hint"].endswith("--help")
    assert said.stderr.startswith("error: ")


def test_a_command_line_that_ends_too_early_gets_the_help(operator: Operator) -> None:
    assert "  connect     Connect a user" in operator.run(code=2).stderr
    assert "  preview " in operator.run("schedule", code=2).stderr


def test_an_error_is_one_line_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    error = GrantRejected("Google said\n\x1b[31mno\x9b", hint="contacts-sync connect a")
    assert boundary.run(raising(error), []) == 4
    assert capsys.readouterr().err == "error: Google said no  (next: contacts-sync connect a)\n"


def test_each_problem_of_a_configuration_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(raising(ConfigurationError("one\ntwo", hint="correct it")), []) == 78
    assert capsys.readouterr().err == "error: one\nerror: two (next: correct it)\n"


def test_a_bug_is_one_line_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(raising(ZeroDivisionError("oh")), ["--json"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: unexpected ZeroDivisionError: oh (next: ")
    assert "unexpected ZeroDivisionError" in json.loads(said.out)["error"]["message"]


def test_what_the_system_refuses_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(raising(PermissionError(13, "Permission denied", "/etc/x")), []) == 1
    assert capsys.readouterr().err.startswith("error: /etc/x: Permission denied (next: ")


@pytest.mark.parametrize("words", [["--log-level", "debug"], ["--log-level=debug"]])
def test_a_traceback_is_shown_at_log_level_debug(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    boundary.run(raising(GrantRejected("no")), words)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["debug"], ["--", "--log-level", "debug"], ["--", "--json"]])
def test_names_are_not_taken_for_options(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    boundary.run(raising(GrantRejected("no")), words)
    said = capsys.readouterr()
    assert said.err == "error: no\n"
    assert not said.out


def test_secrets_stay_out_of_errors(capsys: pytest.CaptureFixture[str]) -> None:
    boundary.run(raising(ValueError("Bearer ya29.secretsecret")), ["--json", "--log-level", "debug"])
    said = capsys.readouterr()
    assert "secretsecret" not in said.out + said.err


def test_an_interrupted_command_ends_with_130(operator: Operator) -> None:
    process = operator.start("connect", "alice", "--no-browser", "--json")
    assert process.stdout
    url = json.loads(process.stdout.readline())["url"]
    listener = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    assert requests.get(listener, timeout=10).status_code == 404  # it waits for the consent
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["error"]["exit_code"] == 130
    assert "Traceback" not in err


def test_a_closed_pipe_ends_a_command_without_a_word(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        people(db, "alice", *({"display_name": "Ada " * 500} for _ in range(200)))
    process = operator.start("contacts", "list", "alice", "--limit", "0")
    assert process.stdout
    assert process.stdout.readline().startswith("ID")
    process.stdout.close()
    assert process.wait(30) == 1
    with process:
        assert process.stderr
        assert process.stderr.read() == ""


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_a_silent_one(operator: Operator, redirection: str) -> None:
    command = f'exec "{sys.executable}" -m contacts_sync status {redirection}'
    said = subprocess.run(["/bin/sh", "-c", command], env=operator.environ, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert operator.run("db", "check").returncode == 0  # no message went into the store


def test_a_full_disk_is_an_error_of_one_line(operator: Operator) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "contacts_sync", "key", "generate"]
        said = subprocess.run(words, env=operator.environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.startswith("error: No space left on device")
    assert len(said.stderr.splitlines()) == 1


def test_names_reach_a_terminal_that_cannot_spell_them(operator: Operator) -> None:
    with store(operator) as db:
        connected(db, "alice")
        people(db, "alice", {"display_name": "Łucja \u202e\x1b]0;x\x07\x9b"})
    operator.environ["PYTHONIOENCODING"] = "latin-1"
    line = operator.run("contacts", "list", "alice").stdout.splitlines()[1]
    assert "\\u0141ucja" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    "environ", [{"LC_ALL": "C", "LANG": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "LC_ALL": "POSIX"}]
)
def test_no_locale_makes_a_command_fail(operator: Operator, environ: dict[str, str]) -> None:
    with store(operator) as db:
        connected(db, "łucja")
        people(db, "łucja", {"display_name": "Łucja 🙂"})
    operator.environ |= environ
    for words in (("status",), ("contacts", "list", "łucja"), ("contacts", "search", "Łu"), ("export", "łucja")):
        assert "Traceback" not in operator.run(*words).stderr
    operator.run("contacts", "list", "nobody-ł", code=3)


def test_waiting_for_consent_can_be_timed(operator: Operator) -> None:
    process = operator.start("connect", "alice", "--no-browser", "--timeout", "0.2")
    assert wait_until(lambda: process.poll() is not None)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "--timeout" in err
