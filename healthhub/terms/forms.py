"""The shapes that texts take: full-width forms, numbers, dates, identity numbers."""

from __future__ import annotations

import re
from functools import lru_cache

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ",
    0x2070: "^0",
    0xB9: "^1",
    0xB2: "^2",
    0xB3: "^3",
    **{0x2070 + n: f"^{n}" for n in range(4, 10)},
    0x2212: "-",
    0x3002: ".",
    0x2264: "<=",
    0x2265: ">=",
    0x2267: ">=",
    0x2266: "<=",
}
_NUMBER = re.compile(r"[<>]?=?\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[×xX*]\s*10\s*\^\s*[+-]?\d+)?")
_PATTERNS = {
    "number": _NUMBER,
    "numeric": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)"),
    "integer": re.compile(r"[+-]?\d+"),
    "date": re.compile(
        r"(?:1[89]|20)\d\d(?:-?(?:0[1-9]|1[0-2])(?:-?(?:0[1-9]|[12]\d|3[01])(?:[T ]?\d.*)?)?)?",
        re.DOTALL,
    ),
    "time": re.compile(
        r"(?:1[89]|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])[ T]?"
        r"(?:[01]\d|2[0-3]):?[0-5]\d.*",
        re.DOTALL,
    ),
    "chinese": re.compile(r"[\u3400-\u9fff·•・\s]+"),
    "letters": re.compile(r"[A-Za-z]+"),
}
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
PATTERNS = (*_PATTERNS, "resident_id")


def half(text: str) -> str:
    """Full-width letters, digits and signs as half-width; superscripts as ^n; ≤ as <=."""
    return text if text.isascii() else text.translate(_HALF)


def looks_like(pattern: str, text: str | None) -> bool:
    """Whether a text has the shape of a named pattern."""
    if not text:
        return False
    text = half(text).strip()
    if pattern == "resident_id":
        return resident_id(text) is not None
    return _PATTERNS[pattern].fullmatch(text) is not None


@lru_cache(maxsize=8192)
def resident_id(text: str) -> str | None:
    """A resident identity number (GB 11643) in its 18 characters, if its date and check
    character are right; one of 15 digits is completed."""
    number = half(text).strip().upper()
    if re.fullmatch(r"\d{15}", number):
        number = f"{number[:6]}19{number[6:]}"
        number += _check_character(number)
    if not re.fullmatch(
        r"[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]", number
    ):
        return None
    return number if _check_character(number) == number[17] else None


def _check_character(number: str) -> str:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return "10X98765432"[total % 11]
