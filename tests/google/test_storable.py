"""What a store or a reader of JSON can't hold is replaced or refused, and nothing else is touched."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.google.storable import OVERLAP, WINDOW, storable

ANYTHING = st.text(st.characters())  # lone surrogates too


@given(st.text())
def test_sound_json_stays_as_it_came(text: str) -> None:
    body = json.dumps({"value": text.replace("\0", "")}, ensure_ascii=False).encode()
    assert storable(body) == body


@given(ANYTHING | st.lists(st.sampled_from(["\0", "\ud83d", "\ude00", "\\", '"', "u0000"])).map("".join))
def test_escaped_text_loses_only_what_no_store_can_hold(text: str) -> None:
    kept = json.loads(storable(json.dumps(text).encode()))
    expected = json.loads(json.dumps(text)).replace("\0", "\ufffd").encode("utf-16", "surrogatepass")
    assert kept == expected.decode("utf-16", "replace")
    kept.encode()


@pytest.mark.parametrize("number", ["9" * 301, "-" + "9" * 5_000, "1e999", "1.5E+400", " 1e1000", "0." + "1" * 400])
@pytest.mark.parametrize("body", ['{{"a":{}}}', '{{"a": [1,{}]}}', '{{"a": {}\n}}'])
def test_a_number_that_readers_choke_on_is_refused(number: str, body: str) -> None:
    with pytest.raises(ValueError, match="number out of range"):
        storable(body.format(number).encode())


@pytest.mark.parametrize("text", ["9" * 400, "call me: 1e999", "[1e999]", "28e15ebc8e252761"])
def test_text_may_look_like_such_a_number(text: str) -> None:
    body = json.dumps({"value": text, "year": 1999, "share": 1.5e-3}).encode()
    assert storable(body) == body


@given(st.integers(0, 3 * OVERLAP), st.sampled_from(["1e999", "9" * 301]), st.integers(0, 2 * OVERLAP))
def test_no_number_hides_where_one_look_ends_and_the_next_begins(before: int, number: str, blanks: int) -> None:
    filler = "x" * (WINDOW - 2 * OVERLAP + before)
    with pytest.raises(ValueError, match="number out of range"):
        storable(f'{{"a":"{filler}","b":{" " * blanks}{number}}}'.encode())


@given(st.integers(0, 8), st.sampled_from(["é", "語", "😀"]))
def test_a_character_may_lie_on_both_sides_of_it(before: int, character: str) -> None:
    body = json.dumps({"a": "x" * (WINDOW - 4 - len('{"a": "') - before) + character * 8}, ensure_ascii=False).encode()
    assert storable(body) == body
