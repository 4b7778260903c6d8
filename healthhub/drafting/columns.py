"""What a column means: guesses from its heading and the shapes of its values, with reasons."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from healthhub.drafting.initials import initials
from healthhub.drafting.shapes import Values, look
from healthhub.mapping.tables import plain

SURE = 0.75
NEAR = 0.1
"""By how much a guess may be surer and its rival still count."""
_FILE = Path(__file__).with_name("concepts.toml")
_LATIN = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Concept:
    """What a column may mean."""

    name: str
    zh: tuple[str, ...]
    words: tuple[str, ...]
    shape: tuple[str, ...]
    alone: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column seems to mean: how sure that is (0 to 1), and why."""

    heading: str
    concept: str
    sure: float
    why: str


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """The catalogue."""
    read: dict[str, Any] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Concept(
            name,
            tuple(said["zh"]),
            tuple(said.get("words", ())),
            tuple(said.get("shape", ())),
            bool(said.get("alone")),
        )
        for name, said in read.items()
    )


def guesses(
    headings: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    elsewhere: Mapping[str, int] = MappingProxyType({}),
) -> list[Guess]:
    """The best guess for each column that has one; of two columns with one meaning the surer
    is it, and the other has its next guess. Where both fit nearly as well the guess is doubted,
    unless one of them stands in more of the other tables (``elsewhere``, headings counted)."""
    values = {heading: look(row.get(heading, "") for row in rows) for heading in headings}
    every = [
        guess
        for heading in headings
        for concept in concepts()
        if (guess := _guess(heading, values[heading], concept)) is not None
    ]
    every.sort(key=lambda guess: (-guess.sure, -elsewhere.get(plain(guess.heading), 0)))
    chosen: dict[str, Guess] = {}
    taken: set[str] = set()
    for guess in every:
        if guess.heading not in chosen and guess.concept not in taken:
            chosen[guess.heading] = _doubted(guess, every, elsewhere)
            taken.add(guess.concept)
    return [chosen[heading] for heading in headings if heading in chosen]


def _doubted(guess: Guess, every: Sequence[Guess], elsewhere: Mapping[str, int]) -> Guess:
    """The guess, less sure where another column fits nearly as well."""
    seen = elsewhere.get(plain(guess.heading), 0)
    rivals = [
        each.heading
        for each in every
        if each.concept == guess.concept
        and each.heading != guess.heading
        and each.sure >= guess.sure - NEAR
        and elsewhere.get(plain(each.heading), 0) >= seen
    ]
    if not rivals:
        return guess
    why = f"{guess.why}; {', '.join(rivals)} could be it as well"
    return Guess(guess.heading, guess.concept, min(guess.sure, SURE - 0.1), why)


def _guess(heading: str, values: Values, concept: Concept) -> Guess | None:
    named, why = _named(heading, concept)
    shapes = [shape for shape in concept.shape if values.has(shape)]
    if concept.shape and values.filled and not shapes:
        return None
    shaped = bool(shapes) and values.filled > 0
    if not named and not (concept.alone and shaped):
        return None
    seen = (
        f"{values.shapes.get(shapes[0], 0)} of {values.filled} values look like it"
        if shaped
        else ("no value to look at" if concept.shape else "")
    )
    sure = min(0.99, (named or 0.6) + (0.25 if shaped else 0 if concept.shape else 0.15))
    return Guess(heading, concept.name, sure, "; ".join(each for each in (why, seen) if each))


def _named(heading: str, concept: Concept) -> tuple[float, str]:
    """How well the heading fits, and how."""
    said = plain(heading)
    bare = re.sub(r"[\W_]", "", said)
    if any(said == plain(word) for word in concept.zh):
        return 0.7, f"heading {heading}"
    if bare in concept.words:
        return 0.7, f"column name {bare}"
    return _by_initials(bare, concept) if _LATIN.fullmatch(said) else _within(said, concept)


def _by_initials(bare: str, concept: Concept) -> tuple[float, str]:
    for word in concept.zh:
        short = initials(word)
        if bare == short and len(bare) >= 3:
            return 0.55, f"pinyin initials of {word}"
        if len(short) >= 4 and bare.endswith(short):
            return 0.35, f"ends in the pinyin initials of {word}"
    return 0.0, ""


def _within(said: str, concept: Concept) -> tuple[float, str]:
    for word in sorted(concept.zh, key=len, reverse=True):
        if len(word) >= 2 and plain(word) in said:
            return 0.4, f"heading holds {word}"
    return 0.0, ""
