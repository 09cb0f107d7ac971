"""What a search compares: the words of a contact and the words of a question, folded alike. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

SHORTEST_NUMBER = 3  # digits; fewer would find half of all phone numbers
LONGEST_WORD = 100  # characters
MOST_WORDS = 200  # of one contact: long notes are found by their beginning
NO_DIGITS = re.compile("[^0-9]+")
BACKWARDS = "x"  # marks a phone number written from its end, so that its last digits find it


class Described(Protocol):
    """A contact, as far as a search looks at it."""

    @property
    def display_name(self) -> str | None: ...  # noqa: D102  (columns)
    @property
    def given_name(self) -> str | None: ...  # noqa: D102
    @property
    def family_name(self) -> str | None: ...  # noqa: D102
    @property
    def nickname(self) -> str | None: ...  # noqa: D102
    @property
    def organization(self) -> str | None: ...  # noqa: D102
    @property
    def job_title(self) -> str | None: ...  # noqa: D102
    @property
    def notes(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Question:
    """Beginnings of words: a contact answers if it has all of `words`, or one of `numbers`."""

    words: tuple[str, ...]
    numbers: tuple[str, ...]


def search_text(person: Described, emails: Iterable[str], phones: Iterable[tuple[str, str | None]]) -> str:
    """The words of a contact, each once, with blanks between; `phones` are (value, E.164 or None)."""
    names = (person.display_name, person.given_name, person.family_name, person.nickname)
    words: list[str] = []
    for value, canonical in phones:
        words += _numbers(value, canonical)
    words += folded(" ".join(filter(None, (*names, person.organization, person.job_title, *emails))))
    if person.notes:  # apart: they are long, and mostly without accents
        words += folded(person.notes)
    found = dict.fromkeys(words)
    return " ".join(found if len(found) <= MOST_WORDS else list(found)[:MOST_WORDS])


def question(text: str) -> Question:
    """What a person who types `text` looks for."""
    digits = _digits(text)
    if len(digits) < SHORTEST_NUMBER or any(character.isalpha() for character in text):
        return Question(tuple(folded(text)), ())
    national = digits.lstrip("0")
    numbers = dict.fromkeys((digits, national or digits, BACKWARDS + (national or digits)[::-1]))
    return Question(tuple(folded(text)), tuple(numbers))


class _Plain(dict[int, str]):
    """What becomes of a character: itself in a word, nothing if it is an accent, else a blank. Learnt as they come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = "" if unicodedata.combining(character) else character if character.isalnum() else " "
        self[code] = plain
        return plain


PLAIN = _Plain()
BEYOND_ACCENTS = re.compile("[^\\x00-\\x7f\\u0300-\\u034e\\u0350-\\u036f]")  # U+034F is no accent
PLAIN_ASCII = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)).ljust(256)


def folded(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation."""
    if text.isascii():
        plain = _plain_ascii(text)
    else:
        compatible = unicodedata.normalize("NFKD", text)  # before, too: some signs show their letters only then
        plain = _plain(unicodedata.normalize("NFKD", compatible.casefold()))
    words = plain.split()
    if len(plain) <= LONGEST_WORD or max(map(len, words), default=0) <= LONGEST_WORD:
        return words
    return [word[:LONGEST_WORD] for word in words]


def _plain(decomposed: str) -> str:
    """Mostly there is nothing but ASCII with accents, which is soon told."""
    return decomposed.translate(PLAIN) if BEYOND_ACCENTS.search(decomposed) else _plain_ascii(decomposed)


def _plain_ascii(text: str) -> str:
    """For ASCII, and accents to leave out."""
    return text.encode("ascii", "ignore").translate(PLAIN_ASCII).decode()


def _numbers(value: str, canonical: str | None) -> tuple[str, ...]:
    digits = _digits(value)
    whole = (_digits(canonical) if canonical else "") or digits
    if len(whole) < SHORTEST_NUMBER:
        return ()
    return digits[:LONGEST_WORD], whole[:LONGEST_WORD], BACKWARDS + whole[::-1][:LONGEST_WORD]


def _digits(text: str) -> str:
    bare = text.removeprefix("+")
    return bare if bare.isascii() and bare.isdigit() else NO_DIGITS.sub("", text)
