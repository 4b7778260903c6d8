"""Which names can be one person's: other characters, pinyin and left-out parts, not other names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from pypinyin import Style, lazy_pinyin

K = TypeVar("K", bound=Hashable)
PART = 3
"""Characters that make a part of a minority name (买买提 of 买买提艾力) a name of its own."""


def parties(names: Mapping[K, Sequence[str]], *, romanised: bool = True) -> list[list[K]]:
    """Part those who bear ``names`` (as evidence.name_key gives them) into parties: within one,
    names are the same, sound the same (陈梅, 陳梅, CHEN MEI, 陈玫) or are a part of each other;
    between two, they plainly differ. Everybody who has a name that can be compared is in one.

    ``romanised``: letters spell a Chinese name in pinyin, so that they can be compared with it;
    otherwise (Hong Kong's CHAN, a foreigner's Mary) they tell nothing of a Chinese name, and who
    has nothing else is in no party if others have Chinese names.
    """
    bearers: dict[str, list[K]] = {}
    for key, own in names.items():
        for name in own:
            bearers.setdefault(name, []).append(key)
    joined = _joined(bearers.keys(), romanised=romanised)
    for own in names.values():
        known = [name for name in own if name in joined.root]
        for name in known[1:]:
            joined.join(known[0], name)
    found: dict[str, dict[K, None]] = {}
    for name in joined.root:
        found.setdefault(joined.find(name), {}).update(dict.fromkeys(bearers[name]))
    return [list(party) for party in found.values()]


def _joined(names: Collection[str], *, romanised: bool) -> _Joined:
    """The names that can be compared, joined where they are alike."""
    chinese = sorted(filter(is_chinese, names))
    letters = [] if chinese and not romanised else sorted(set(names) - set(chinese))
    joined = _Joined([*chinese, *letters])
    sounds: dict[tuple[str, ...], str] = {}
    for name in chinese:
        joined.join(name, sounds.setdefault(syllables(name), name))
        for other in (*_parts(name), *spellings(name)):
            if other in joined.root:
                joined.join(name, other)
    for place, name in enumerate(letters):
        for other in letters[:place]:
            if _letters_within(name, other):
                joined.join(name, other)
    return joined


def is_chinese(name: str) -> bool:
    """Whether a name holds a Chinese character."""
    return any("\u3400" <= c <= "\u9fff" for c in name)


@lru_cache(maxsize=100_000)
def syllables(name: str) -> tuple[str, ...]:
    """How a Chinese name sounds, without tones: typing errors of input methods sound alike."""
    return tuple(lazy_pinyin(name, style=Style.NORMAL))


def spellings(name: str) -> set[str]:
    """A Chinese name in letters: family name first or, of one character or two, last."""
    sound = syllables(name)
    return {"".join((*sound[turn:], *sound[:turn])) for turn in (0, 1, 2)}


def _parts(name: str) -> list[str]:
    """What a longer name begins or ends with."""
    shorter = range(PART, len(name))
    return [part for length in shorter for part in (name[:length], name[-length:])]


def _letters_within(one: str, other: str) -> bool:
    """Whether the words of a name in letters, in any order, are all in the other's."""
    few, many = sorted((one, other), key=len)
    return Counter(few) <= Counter(many) and len(few) > len(many) // 2


class _Joined:
    """Names joined step by step."""

    def __init__(self, names: Sequence[str]) -> None:
        self.root = {name: name for name in names}

    def find(self, name: str) -> str:
        while self.root[name] != name:
            self.root[name] = self.root[self.root[name]]
            name = self.root[name]
        return name

    def join(self, one: str, other: str) -> None:
        self.root[self.find(one)] = self.find(other)
