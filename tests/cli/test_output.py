"""How results look."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.cli import output

HOSTILE = "Eve\x1b]0;owned\x07\x9b31m\u202e\r\nx"


def test_instants_are_utc_with_a_z() -> None:
    berlin = timezone(timedelta(hours=2))
    assert output.instant(datetime(2026, 7, 1, 2, 30, 5, 999, tzinfo=berlin)) == "2026-07-01T00:30:05Z"
    assert output.instant(None) is None


def test_a_table_that_is_piped_is_plain_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("id", "name"), [(1, "Ada"), (10, None), (2, datetime(2026, 1, 1, tzinfo=UTC))])
    assert capsys.readouterr().out == "ID  NAME\n1   Ada\n10  -\n2   2026-01-01T00:00:00Z\n"


@pytest.mark.parametrize("show", [output.say, lambda text: output.print_table(("a",), [(text,)])])
def test_foreign_text_cannot_steer_a_terminal(show: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(show)
    show(HOSTILE)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.isprintable()
    assert "owned" not in line


def test_json_is_ascii_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"name": HOSTILE})
    told = capsys.readouterr().out
    assert told.strip().isascii()
    assert told.strip().isprintable()
    assert json.loads(told) == {"name": HOSTILE}


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_a_field_stays_on_its_line(values: list[str]) -> None:
    from contextlib import redirect_stdout
    from io import StringIO

    with redirect_stdout(StringIO()) as told:
        output.print_fields([(f"field{number}", value) for number, value in enumerate(values)])
    assert len(told.getvalue().split("\n")) == len(values) + 1
