"""What a search compares: the words of a contact and the words of a question, folded alike. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice

SHORTEST_NUMBER = 3  # digits; fewer would find half of all phone numbers
LONGEST_WORD = 100  # characters
MOST_WORDS = 200  # of one contact: long notes are found by their beginning
BACKWARDS = "x"  # marks a phone number written from its end, so that its last digits find it

Names = Iterable[str | None]
Phones = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Question:
    """Beginnings of words: a contact answers if it has all of `words`, or one of `numbers`."""

    words: tuple[str, ...]
    numbers: tuple[str, ...]


def search_texts(names: Sequence[Names], notes: Sequence[str | None], phones: Sequence[Phones]) -> list[str]:
    """The words of each contact, each once, with blanks between.

    `names` are all its texts that are short, mostly names and e-mail addresses; `phones` are (value, E.164 or None).
    Those of a page are cut together, which costs less than one by one; the notes apart from the names, since they are
    long, and mostly without accents.
    """
    of_phones = _numbers([phone for some in phones for phone in some])
    of_names = plain([" ".join(filter(None, some)) for some in names])
    of_notes = plain([text or "" for text in notes])
    return [
        _once(" ".join((*islice(of_phones, len(some)), name, note)))
        for some, name, note in zip(phones, of_names, of_notes, strict=True)
    ]


def _once(text: str) -> str:
    words = dict.fromkeys(text.split())
    if len(text) > LONGEST_WORD and max(map(len, words), default=0) > LONGEST_WORD:
        words = dict.fromkeys(word[:LONGEST_WORD] for word in words)
    return " ".join(words if len(words) <= MOST_WORDS else islice(words, MOST_WORDS))


def question(text: str) -> Question:
    """What a person who types `text` looks for."""
    (digits,) = _each(_digits, [text])
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
BETWEEN = "\0"  # texts that are looked at together; no store would take it as part of one
PLAIN[0] = BETWEEN
LETTERS = (ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(1, 128))
PLAIN_ASCII = bytes((ord(BETWEEN), *LETTERS)).ljust(256)
NO_DIGITS = bytes(code for code in range(1, 128) if not chr(code).isdigit())


def folded(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation."""
    return [word[:LONGEST_WORD] for word in plain([text])[0].split()]


def plain(texts: Sequence[str]) -> list[str]:
    """Texts without case, accents and punctuation: nothing but words and blanks.

    Mostly there is nothing but ASCII, with accents, which is soon told.
    """
    return _either(str.isascii, texts, _plain_ascii, _plain)


def _plain(joined: str) -> str:
    compatible = unicodedata.normalize("NFKD", joined)  # before, too: some signs show their letters only then
    decomposed = unicodedata.normalize("NFKD", compatible.casefold()).split(BETWEEN)
    return BETWEEN.join(_either(BEYOND_ACCENTS.search, decomposed, _plain_letters, _plain_ascii))


def _either(
    is_one: Callable[[str], object], texts: Sequence[str], ones: Callable[[str], str], others: Callable[[str], str]
) -> list[str]:
    """What becomes of each text: there are two kinds."""
    kinds = [bool(is_one(text)) for text in texts]
    of_ones = iter(_each(ones, list(compress(texts, kinds))))
    of_others = iter(_each(others, [text for text, kind in zip(texts, kinds, strict=True) if not kind]))
    return [next(of_ones if kind else of_others) for kind in kinds]


def _each(change: Callable[[str], str], texts: Sequence[str]) -> list[str]:
    """What becomes of each text, by one call for all of them."""
    joined = BETWEEN.join(texts)
    if joined.count(BETWEEN) >= len(texts):
        joined = BETWEEN.join(text.replace(BETWEEN, " ") for text in texts)
    return change(joined).split(BETWEEN)


def _plain_letters(text: str) -> str:
    return text.translate(PLAIN)


def _plain_ascii(text: str) -> str:
    """For ASCII, and accents to leave out."""
    return text.encode("ascii", "ignore").translate(PLAIN_ASCII).decode()


def _numbers(phones: Phones) -> Iterator[str]:
    """What finds each phone number: its digits, those of its whole number, and that from its end."""
    values = _each(_digits, [value for value, _ in phones])
    wholes = _each(_digits, [canonical or "" for _, canonical in phones])
    for digits, canonical in zip(values, wholes, strict=True):
        whole = canonical or digits
        yield f"{digits} {whole} {BACKWARDS}{whole[::-1]}" if len(whole) >= SHORTEST_NUMBER else ""


def _digits(text: str) -> str:
    return text.encode("ascii", "ignore").translate(None, NO_DIGITS).decode()
