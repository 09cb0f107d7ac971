"""Text that somebody writes into a contact to do harm where it is shown, and how to tell that it does none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import product

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
NEWLINES = (
    "\n",
    "\r",
    "\r\n",
    "\n\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\\n",
    "\\N",
    "=0D=0A",
    "%0A",
)
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u206a\u206f\ufe0f\ufeff\ufff9\ufffa\ufffb\U000e0001\U000e0041\U000e007f"
STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t=",
    "\r=",
    "\n=",
    "\r\n=",
    " =",
    "'=",
    '"=',
    ";=",
    ",=",
    "\uff1d",
    "\uff0b",
    "%3D",
    "\x00=",
    "\ufeff=",
)
FORMULAS = ("1+1", 'HYPERLINK("http://x.example","y")', "cmd|' /C calc'!A0", "SUM(A1:A9)", "IMPORTXML(A1)")
CARDS = (
    "TEL:666",
    "END:VCARD",
    "END:VCARD{n}BEGIN:VCARD{n}VERSION:3.0{n}FN:Eve{n}N:Eve",
    " folded",
    "item1.EMAIL:eve@x.example",
    "BEGIN:VCALENDAR",
    "PHOTO;VALUE=URI:file:///etc/passwd",
)
LINES = (
    '"level": "critical"',
    "<2>kernel: panic",
    "STATUS=owned",
    "MAINPID=1",
    'fake_metric{{x="1"}} 1',
    "root@host:~# ",
)
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "</title><script>",
    "</textarea><svg/onload=alert(1)>",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "<base href=//x.example>",
    "<a href='data:text/html,x'>x</a>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0>",
    "{{7*7}}",
    "{% raw %}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "\\x3cscript\\x3e",
    "[red]x[/red]",
    "[link=file:///etc/passwd]x[/link]",
    "[/]",
    ":boom:",
    "[bold",
    "\\[b]",
    "**b**",
    "`id`",
)
QUERIES = (
    "'; DROP TABLE contacts; --",
    '" OR ""="',
    "' OR 1=1 --",
    "%",
    "_",
    "%%%",
    "\\",
    "\\\\",
    "\\'",
    "$1",
    ":name",
    "?",
    "?1",
    "%s",
    "%(x)s",
    "NULL",
    "'||(SELECT 1)||'",
    "x'00'",
    "E'\\x00'",
    "$$x$$",
    "/*",
    "*/",
    "a\\",
    "{1,2}",
    '{"a": 1}',
    "[]",
    "::text",
    "1e999",
    "NaN",
    "-0",
    "true",
)
FORMATS = (
    "%n%n%n",
    "%99999999d",
    "%x%x%x",
    "{}",
    "{0}",
    "{0.__class__}",
    "{user_id}",
    "{self.__init__.__globals__}",
    "%(levelname)s",
    "$HOME",
    "$(id)",
    ";id",
    "|id",
    "&& id",
    "`id`",
    "~root",
    "!!",
    "^x^y",
    "#x",
    "\\u0000",
    "\\x1b[31m",
    "\\033[31m",
)
PATHS = (
    "../../etc/passwd",
    "..\\..\\x",
    "/dev/null",
    "/dev/stdin",
    "C:\\x",
    "\\\\host\\share",
    "file:///etc/passwd",
    "CON",
    "NUL.txt",
    "~/.ssh/id_rsa",
    ".",
    "..",
    "-",
    "--help",
    "--output=/x",
    "a/b",
    "a\x00.vcf",
    ".hidden",
    "x" * 300 + "/y",
)
SURROGATES = ("\ud800", "\udc00", "\udbff\udbff", "\udfff\ud800", "a\ud83d", "\ude00b", "\ud800\x1b[31m")
LONG = (
    "A" * 10_000,
    "\u0301" * 5_000,
    "e" + "\u0301\u0323" * 500,
    "\U0001f468\u200d" * 500,
    "W" * 300 + " " + "i" * 300,
    "\u202e" * 2_000,
    "\ufdfd" * 1_000,
    "=" * 3_000,
    "\n" * 1_000,
    "\\" * 2_000,
    '"' * 2_001,
    "," * 999,
    ";" * 999,
)
ODD = (
    "\ufffe",
    "\uffff",
    "\U0001fffe",
    "\U0010ffff",
    "\ufffd",
    "\ue000",
    "\u0378",
    "\u1d173",
    "\U0001d173",
    "\U0001bca0",
    "I\u0307",
    "\u0130",
    "\ufb01",
    "\u212b",
    "ẞ",
    "\u3164",
    "\u2800",
    "\u00a0",
    "\u3000",
    "مرحبا",
    "שלום abc",
    "a\u0308",
    "नमस्ते",
    "👩‍👩‍👧",
    "🏴\U000e0067\U000e0062\U000e007f",
)


def corpus() -> list[str]:
    """All of it, each once, in a fixed order; neighbours are of a kind."""
    return list(dict.fromkeys(_every()))


def _every() -> Iterator[str]:
    yield from (f"a{chr(code)}b" for code in (*range(32), *range(127, 160)))
    yield from (
        f"a{ESC}[{number}{final}b" for number in ("", "2", "31;1", "?1049", "999;999") for final in "ABHJKSchlmnr"
    )
    yield from (
        f"a{start}{number};x{end}b"
        for number in (0, 2, 4, 8, 10, 52, 133, 777, 1337)
        for start, end in ((f"{ESC}]", BEL), (f"{ESC}]", ST), ("\x9d", "\x9c"), (f"{ESC}]", ""))
    )
    yield from (f"a{ESC}{letter}x{ST}b" for letter in "PX^_78cDEHMNOZ=>#(%")
    yield from (
        f"{ESC}[31{ESC}[31mm",
        f"{ESC}\u200b[31m",
        f"{ESC}{ESC}[31m",
        f"{ESC}]8;;http://x.example{ST}click{ESC}]8;;{ST}",
        f"{ESC}",
        f"{ESC}[",
        "safe\rEVIL",
        "ab\b\bcd",
        "\x9b31mred",
    )
    yield from (f"abc{mark}def" for mark in BIDI + INVISIBLE)
    yield from (f"{BIDI[7]}fdp.exe", "\u2067\u2066x\u2069y", f"user{INVISIBLE[4]}name")
    yield from (start + formula for start, formula in product(STARTS, FORMULAS))
    yield from (f"x{newline}{card.format(n=newline)}" for newline, card in product(NEWLINES, CARDS))
    yield from (f"x{newline}{line.format()}" for newline, line in product(("\n", "\r\n", "\x85", "\u2028"), LINES))
    for kind in (MARKUP, QUERIES, FORMATS, PATHS, SURROGATES, LONG, ODD):
        yield from kind


# -- what must not be there

JOINERS = "\u200c\u200d"  # Persian and emoji need them
VISIBLE_FORMATS = re.compile(r"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f]")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def steering(text: str, *, but: str = "\n") -> list[str]:
    """The characters in a text that could steer a terminal, hide or turn round what is read there."""
    return sorted({ascii(one) for one in text if one not in but and one not in JOINERS and _steers(one)})


def _steers(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and not VISIBLE_FORMATS.match(character)


def as_stored(text: str) -> str:
    """Text as it is after it has been in a store: what none can hold is replaced."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


if __name__ == "__main__":
    print(len(corpus()))
