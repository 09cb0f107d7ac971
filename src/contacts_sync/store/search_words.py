"""What a search compares: the words of a contact and the words of a question, folded alike. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

SHORTEST_NUMBER = 3  # digits; fewer would find half of all phone numbers
LONGEST_WORD = 100  # characters
MOST_WORDS = 200  # of one contact: long notes are found by their beginning
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
    texts = (
        *(person.display_name, person.given_name, person.family_name, person.nickname),
        *(person.organization, person.job_title, *emails, person.notes),
    )
    found = dict.fromkeys(number for value, canonical in phones for number in _numbers(value, canonical))
    found.update(dict.fromkeys(word for text in texts if text for word in folded(text)))
    return " ".join(list(found)[:MOST_WORDS])


def question(text: str) -> Question:
    """What a person who types `text` looks for."""
    digits = _digits(text)
    if len(digits) < SHORTEST_NUMBER or any(character.isalpha() for character in text):
        return Question(tuple(folded(text)), ())
    national = digits.lstrip("0")
    numbers = dict.fromkeys((digits, national or digits, BACKWARDS + (national or digits)[::-1]))
    return Question(tuple(folded(text)), tuple(numbers))


def folded(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation."""
    if text.isascii():
        plain = text.lower()
    else:
        compatible = unicodedata.normalize("NFKD", text)  # before, too: some signs show their letters only then
        decomposed = unicodedata.normalize("NFKD", compatible.casefold())
        plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    if not plain.isalnum():
        plain = "".join(character if character.isalnum() else " " for character in plain)
    return [word[:LONGEST_WORD] for word in plain.split()]


def _numbers(value: str, canonical: str | None) -> Iterator[str]:
    digits = _digits(value)
    whole = _digits(canonical or "") or digits
    if len(whole) >= SHORTEST_NUMBER:
        yield from (digits[:LONGEST_WORD], whole[:LONGEST_WORD], BACKWARDS + whole[::-1][:LONGEST_WORD])


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")
