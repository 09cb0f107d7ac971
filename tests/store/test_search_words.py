from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_sync.store.search_words import LONGEST_WORD, MOST_WORDS, folded, question, search_texts


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
    (text,) = search_texts([()], [None], [[("whatever", f"+49{national}")]])
    words = text.split()
    gaps = data.draw(
        st.lists(st.sampled_from(["", " ", "-", ") ", "/"]), min_size=len(national), max_size=len(national))
    )
    asked = question(prefix + "".join(gap + digit for gap, digit in zip(gaps, national, strict=True)))
    assert any(word.startswith(number) for word in words for number in asked.numbers)


def test_text_with_letters_is_no_number() -> None:
    assert question("room 1234").numbers == ()
    assert question("12").numbers == ()


SOMETHING = st.text(st.sampled_from("aZ ß\0é\u0301\n-1ł東") | st.characters(codec="utf-8"), max_size=8)
CONTACT = st.tuples(
    st.lists(SOMETHING | st.none()), SOMETHING | st.none(), st.lists(st.tuples(SOMETHING, SOMETHING | st.none()))
)


@given(st.lists(CONTACT, max_size=4))
def test_a_contact_has_the_same_words_among_others_as_alone(contacts: list[Any]) -> None:
    together = search_texts(*([one[n] for one in contacts] for n in range(3)))
    assert together == [text for one in contacts for text in search_texts(*([value] for value in one))]


@given(CONTACT)
def test_what_a_person_types_folds_like_what_is_stored(contact: Any) -> None:
    names, notes, _ = contact
    (text,) = search_texts([names], [notes], [[]])
    assert text.split() == list(dict.fromkeys(folded(" ".join(filter(None, (*names, notes))))))


def test_long_words_and_long_notes_are_cut() -> None:
    (text,) = search_texts([["a" * (LONGEST_WORD + 20)]], [" ".join(f"w{n}" for n in range(2 * MOST_WORDS))], [[]])
    assert text.split()[0] == "a" * LONGEST_WORD
    assert len(text.split()) == MOST_WORDS
