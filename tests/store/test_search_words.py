from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.store.search_words import LONGEST_WORD, folded, question, search_text
from tests.store.given import person


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoë Ångström", ["zoe", "angstrom"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("a.b@c-d.example", ["a", "b", "c", "d", "example"]),
        ("東京 タワー", ["東京", "タワー"]),
        ("ﬁne", ["fine"]),
        ("", []),
    ],
)
def test_words_lose_case_accents_and_punctuation(text: str, words: list[str]) -> None:
    assert folded(text) == words


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(" ".join(folded(text))) == folded(text)


@given(st.text())
def test_words_are_such_as_any_index_takes_them_whole(text: str) -> None:
    assert all(word.isalnum() and len(word) <= LONGEST_WORD for word in folded(text))
    assert all(word.isalnum() for word in question(text).words + question(text).numbers)


@given(st.from_regex(r"[1-9][0-9]{6,11}", fullmatch=True), st.sampled_from(["", "0", "+49", "0049"]), st.data())
def test_a_number_is_found_in_every_spelling(national: str, prefix: str, data: st.DataObject) -> None:
    words = search_text(person(1), [], [("whatever", f"+49{national}")]).split()
    gaps = data.draw(
        st.lists(st.sampled_from(["", " ", "-", ") ", "/"]), min_size=len(national), max_size=len(national))
    )
    asked = question(prefix + "".join(gap + digit for gap, digit in zip(gaps, national, strict=True)))
    assert any(word.startswith(number) for word in words for number in asked.numbers)


def test_text_with_letters_is_no_number() -> None:
    assert question("room 1234").numbers == ()
    assert question("12").numbers == ()
