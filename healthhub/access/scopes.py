"""Scopes: what a client's registration or its token allows it, of the types of resources.

``system/Observation.rs``: read and search Observations; letters c, r, u, d, s in this order.
The words of SMART 1 (``.read``, ``.write``, ``.*``) are understood and told as those of SMART 2.
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from healthhub.access import holdings
from healthhub.errors import InvalidRequest

ALL = "*"
LETTERS = "cruds"
LAUNCH = "launch"
"""The scope of a system that may open a doctor's session on the record page."""
_OLD = {"read": "rs", "write": "cud", "*": LETTERS}
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?|read|write|\*)")
_TYPES = frozenset(holdings.TYPES)


@dataclass(frozen=True, slots=True)
class Scopes:
    """Letters by type (``*`` for each type), and whether launches are among them."""

    types: tuple[tuple[str, str], ...] = ()
    launch: bool = False

    def allow(self, type_: str, letters: str) -> bool:
        """Whether all these letters are allowed of the type."""
        held = dict(self.types)
        return set(held.get(ALL, "") + held.get(type_, "")).issuperset(letters)

    def within(self, bounds: Scopes) -> Scopes:
        """What is in both."""
        shared: dict[str, str] = {}
        for type_, letters in self.types:
            for other, bound in bounds.types:
                if ALL in (type_, other) or type_ == other:
                    name = other if type_ == ALL else type_
                    both = set(letters) & set(bound)
                    shared[name] = shared.get(name, "") + "".join(both)
        return _made(shared, launch=self.launch and bounds.launch)

    def words(self) -> list[str]:
        """The scopes as they are written and stored."""
        told = [f"system/{type_}.{letters}" for type_, letters in self.types]
        return [LAUNCH, *told] if self.launch else told

    def __bool__(self) -> bool:
        return self.launch or bool(self.types)


def registered(words: Sequence[str]) -> Scopes:
    """The scopes of a registration; InvalidRequest names one that is none."""
    for word in words:
        if word != LAUNCH and _parts(word) is None:
            raise InvalidRequest(
                f"{word[:64]!r} is no scope of the hub; there are launch and system/TYPE.LETTERS, "
                "such as system/*.rs or system/Observation.cruds",
                expression="scope",
            )
    return wanted(words)


def wanted(words: Iterable[str]) -> Scopes:
    """The scopes among these words; what is none of the hub's is passed over (RFC 6749, 3.3)."""
    found: dict[str, str] = {}
    launch = False
    for word in words:
        launch = launch or word == LAUNCH
        if parts := _parts(word):
            type_, letters = parts
            found[type_] = found.get(type_, "") + letters
    return _made(found, launch=launch)


def _parts(word: str) -> tuple[str, str] | None:
    match = _SCOPE.fullmatch(word)
    if match is None or (match[1] != ALL and match[1] not in _TYPES):
        return None
    letters = _OLD.get(match[2], match[2])
    return (match[1], letters) if letters else None


def _made(found: dict[str, str], *, launch: bool) -> Scopes:
    ordered = {
        type_: "".join(letter for letter in LETTERS if letter in letters)
        for type_, letters in sorted(found.items())
    }
    return Scopes(tuple((type_, held) for type_, held in ordered.items() if held), launch)
