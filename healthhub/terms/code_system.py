"""A code system as it is asked: codes, displays, and which code stands above which.

http://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
_PARENTS = ("parent", "subsumedBy")


@dataclass(frozen=True, slots=True)
class Concept:
    """A code with what its system says of it. ``more`` is the concept as the system lists it."""

    system: str
    code: str
    display: str = ""
    version: str = ""
    more: Body | None = None

    @property
    def definition(self) -> str:
        """Its meaning in words."""
        return (self.more or {}).get("definition", "")

    @property
    def designations(self) -> list[Body]:
        """Its other names."""
        return (self.more or {}).get("designation", [])

    @property
    def properties(self) -> list[Body]:
        """Properties with a code and a value."""
        return (self.more or {}).get("property", [])

    @property
    def is_abstract(self) -> bool:
        """Whether it only groups others and is never chosen itself."""
        return self._flag("notSelectable")

    @property
    def is_inactive(self) -> bool:
        """Whether it is no longer to be used."""
        return self._flag("inactive") or any(
            one.get("code") == "status" and one.get("valueCode") in ("retired", "inactive")
            for one in self.properties
        )

    def shown(self, language: str = "") -> str:
        """The display in a language; the system's own when it has none in it."""
        for one in self.designations if language else ():
            if str(one.get("language", "")).lower().startswith(language.lower()):
                return str(one.get("value", ""))
        return self.display

    def _flag(self, name: str) -> bool:
        return any(
            one.get("code") == name and one.get("valueBoolean") is True
            for one in self.properties
        )


class CodeSystem:
    """The codes of a CodeSystem resource, in its order."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.url = str(body.get("url", ""))
        self.version = str(body.get("version", ""))
        self.is_complete = body.get("content") == "complete"
        self._folds = body.get("caseSensitive") is False
        self._concepts: dict[str, Concept] = {}
        self._above: dict[str, set[str]] = {}
        self._below: dict[str, list[str]] = {}
        self._read(body.get("concept", []), None)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts.values())

    def find(self, code: str) -> Concept | None:
        """The concept of a code; None when the system has none."""
        found = self._concepts.get(code)
        if found is None and self._folds:
            folded = code.casefold()
            return next((c for c in self if c.code.casefold() == folded), None)
        return found

    def parents(self, code: str) -> list[str]:
        """The codes one step above."""
        return sorted(self._above.get(code, ()))

    def children(self, code: str) -> list[str]:
        """The codes one step below."""
        return self._below.get(code, [])

    def below(self, code: str) -> set[str]:
        """All codes below, however far; not the code itself."""
        return self._reached(code, self._below)

    def above(self, code: str) -> set[str]:
        """All codes above, however far; not the code itself."""
        return self._reached(code, self._above)

    @staticmethod
    def _reached(code: str, steps: dict[str, Any]) -> set[str]:
        found: set[str] = set()
        waiting = list(steps.get(code, ()))
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(steps.get(one, ()))
        found.discard(code)
        return found

    def _read(self, concepts: list[Body], parent: str | None) -> None:
        for one in concepts:
            code = str(one["code"])
            self._concepts[code] = Concept(
                self.url, code, str(one.get("display", "")), self.version, one
            )
            if parent is not None:
                self._tie(parent, code)
            for said in one.get("property", []):
                other = said.get("valueCode")
                if said.get("code") in _PARENTS and other:
                    self._tie(other, code)
                elif said.get("code") == "child" and other:
                    self._tie(code, other)
            self._read(one.get("concept", []), code)

    def _tie(self, parent: str, child: str) -> None:
        above = self._above.setdefault(child, set())
        if parent not in above:
            above.add(parent)
            self._below.setdefault(parent, []).append(child)
