"""How alike two names of a thing are: forms, names in brackets, pinyin initials, shared pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from healthhub.terms.forms import half

SHORT = 2
"""Characters of a name of which one alone may be what a sender writes (汉 for 汉族)."""
_BRACKETS = re.compile(r"[(\[【「](.*?)[)\]】」]")
_NOISE = re.compile(r"[\s*★☆#、,，.;:：·/_\-]+")
_AFFIXES = re.compile(
    r"^(?:血清|血浆|全血|静脉血)|(?:测定|检测|检查|定量|计数|水平|浓度|含量|项目)+$"
)
"""Words that laboratories add to a name and that tell no test from another."""
_CHINESE = re.compile(r"[\u3400-\u9fff]")


@lru_cache(maxsize=100_000)
def plain(name: str) -> str:
    """A name in half-width, lower case, without signs."""
    return _NOISE.sub("", half(name).lower())


@lru_cache(maxsize=100_000)
def forms(name: str) -> tuple[str, ...]:
    """What a name may be written as: the whole, without the words around it, what stands in its
    brackets and outside of them. The first is the whole."""
    text = half(name)
    found = [plain(text)]
    for part in (_BRACKETS.sub("", text), *_BRACKETS.findall(text)):
        found += [plain(part), _AFFIXES.sub("", plain(part))]
    return tuple(dict.fromkeys(each for each in found if each))


@lru_cache(maxsize=100_000)
def initials(name: str) -> str:
    """The first letters of a Chinese name's syllables (bxb for 白细胞); else nothing."""
    text = plain(name)
    if not _CHINESE.search(text):
        return ""
    return "".join(lazy_pinyin(text, style=Style.FIRST_LETTER)).lower()


def pairs(text: str) -> frozenset[str]:
    """Each two neighbouring characters; of a single character itself."""
    return frozenset(text[n : n + 2] for n in range(len(text) - 1)) or frozenset({text})


def keys(name: str) -> Iterator[str]:
    """What an index finds a name by: its pairs, its whole forms, its initials."""
    for form in forms(name):
        yield "=" + form
        if _CHINESE.search(form):
            yield from pairs(form)
            yield from form if len(form) <= SHORT else ()
    if first := initials(name):
        yield "=" + first


def likeness(one: str, other: str) -> float:
    """1 for the same name in any form, 0 for nothing in common; in between by shared pairs.

    Letters are compared as wholes: that two abbreviations share letters means nothing.
    """
    ours, theirs = forms(one), forms(other)
    if not ours or not theirs:
        return 0.0
    if set(ours) & set(theirs):
        return 1.0
    best = 0.0
    for mine in ours:
        for yours in theirs:
            if _CHINESE.search(mine) and _CHINESE.search(yours):
                left, right = pairs(mine), pairs(yours)
                shared = 2 * len(left & right) / (len(left) + len(right))
                held = mine in yours or yours in mine
                held = held and (min(len(mine), len(yours)) > 1 or len(mine + yours) <= 3)
                best = max(best, shared, 0.5 if held else 0.0)
    return min(best, 0.95)


def abbreviated(short: str, name: str) -> bool:
    """Whether letters are the initials of a Chinese name."""
    return len(short) > 1 and short.isascii() and plain(short) == initials(name)
