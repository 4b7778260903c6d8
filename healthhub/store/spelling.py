"""Names as people type them: one normal form, and the forms under which a name is found."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

_DOTS = dict.fromkeys(map(ord, "·•・‧∙.．"), None)


def normal(text: str) -> str:
    """Half width, lower case, without accents, blanks, and the dots of minority names."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_DOTS)
    return "".join(
        c for c in plain if c.isprintable() and not c.isspace() and not unicodedata.combining(c)
    )


@lru_cache(maxsize=100_000)
def name_forms(text: str) -> tuple[str, ...]:
    """What a name is found by: itself and, if it is Chinese, its pinyin and their initials."""
    plain = normal(text)
    if not any("\u3400" <= c <= "\u9fff" for c in plain):
        return (plain,) if plain else ()
    syllables = lazy_pinyin(plain, style=Style.NORMAL)
    return (plain, "".join(syllables), "".join(s[0] for s in syllables if s))


def digits(text: str) -> str:
    """A phone number's digits, without the country code of China."""
    found = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdigit())
    return found[2:] if len(found) == 13 and found.startswith("86") else found
