"""Where alerts go: a wrong line is named, its secret isn't."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contacts_sync.alerts.recipients import recipients
from contacts_sync.errors import ConfigurationError
from tests.alerts.given import configured

SECRET = "s3cr3t-pass-word"


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def labels(**settings: str) -> list[str]:
    return [one.label for one in recipients(configured("sqlite:////x", **settings).alerts)]


def refused(**settings: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        labels(**settings)
    return caught.value.message


def test_the_configuration_and_the_file_are_one_list(tmp_path: Path) -> None:
    path = written(tmp_path / "alerts", f"# mine\n\njson://b.example/{SECRET}\n  json://a.example/2\n")
    assert labels(ALERTS__URLS="json://a.example/1", ALERTS__URLS_FILE=path) == [
        "json://a.example",
        "json://b.example",
        "json://a.example #2",
    ]


def test_every_wrong_line_is_named_without_its_secret(tmp_path: Path) -> None:
    path = written(tmp_path / "alerts", f"json://fine.example\nslak://{SECRET}\nmailto://\n{SECRET}\n")
    said = refused(ALERTS__URLS_FILE=path)
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"alerts.urls_file {path}, line {n}" for n in (2, 3, 4)
    ]
    assert SECRET not in said


def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "alerts", "json://a.example", 0o644)
    assert refused(ALERTS__URLS_FILE=path) == f"alerts.urls_file {path} is open to everybody"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "FileNotFoundError" in refused(ALERTS__URLS_FILE=str(tmp_path / "none"))


def test_apprise_understands_the_examples_of_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"```text\n(# mail.*?)```", readme, re.DOTALL)
    assert found
    told = labels(ALERTS__URLS_FILE=written(tmp_path / "alerts", found[1]))
    assert told == ["mailtos://mail.example.com:587", "ntfys://***", "https://***", "jsons://hooks.example.com"]
