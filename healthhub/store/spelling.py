"""Names as people type them: one normal form, and the forms under which a name is found."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

_DOTS = dict.fromkeys(map(ord, "·•・‧∙.．"), None)


SHORT = 64
"""Characters of names and displays: they come again and again, longer texts do not."""


def normal(text: str) -> str:
    """Half width, lower case, without accents, blanks, and the dots of minority names."""
    return _short(text) if len(text) <= SHORT else _normal(text)


@lru_cache(maxsize=20_000)
def _short(text: str) -> str:
    return _normal(text)


def _normal(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_DOTS)
    return "".join(
        c for c in plain if c.isprintable() and not c.isspace() and not unicodedata.combining(c)
    )


@lru_cache(maxsize=20_000)
def name_forms(text: str) -> tuple[str, ...]:
    """What a name is found by: itself and, if it is Chinese, its pinyin and their initials."""
    plain = normal(text)
    if not any("\u3400" <= c <= "\u9fff" for c in plain):
        return (plain,) if plain else ()
    syllables = lazy_pinyin(plain, style=Style.NORMAL)
    return (plain, "".join(syllables), "".join(s[0] for s in syllables if s))


_SOUNDS = {
    letter: digit
    for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1)
    for letter in letters
}


@lru_cache(maxsize=20_000)
def sounds(text: str) -> tuple[str, ...]:
    """What a name sounds like: a Chinese one its pinyin, any other the Soundex of each word."""
    plain = normal(text)
    if any("\u3400" <= c <= "\u9fff" for c in plain):
        return name_forms(text)[1:2]
    words = unicodedata.normalize("NFKD", text).casefold().split()
    return tuple(dict.fromkeys(filter(None, map(_soundex, words))))


def _soundex(word: str) -> str:
    """American Soundex: a letter and three digits."""
    letters = [c for c in word if "a" <= c <= "z"]
    if not letters:
        return ""
    code, before = letters[0], _SOUNDS.get(letters[0], 0)
    for letter in letters[1:]:
        digit = _SOUNDS.get(letter, 0)
        if digit and digit != before:
            code += str(digit)
        if letter not in "hw":
            before = digit
    return code[:4].ljust(4, "0")


def digits(text: str) -> str:
    """A phone number's digits, without the country code of China."""
    found = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdigit())
    return found[2:] if len(found) == 13 and found.startswith("86") else found
