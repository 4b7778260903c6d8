"""Translation of codes by concept maps (http://hl7.org/fhir/R4/conceptmap.html)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
_REVERSED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
NO_MATCH = frozenset({"unmatched", "disjoint"})


@dataclass(frozen=True, slots=True)
class Match:
    """A translation: how close it is, the code, and the map that says so."""

    equivalence: str
    system: str
    code: str
    display: str
    map: str
    comment: str = ""


def translate(
    concept_map: Body, system: str, code: str, *, target: str = "", reverse: bool = False
) -> list[Match]:
    """What a map says of a code. ``system`` empty: of any; ``target``: only into that system."""
    url = str(concept_map.get("url", ""))
    found: list[Match] = []
    for group in concept_map.get("group", []):
        source, goal = str(group.get("source", "")), str(group.get("target", ""))
        if reverse:
            source, goal = goal, source
        if (system and source and source != system) or (target and goal != target):
            continue
        pairs = _backwards(group, code) if reverse else _forwards(group, code)
        found += [
            Match(how, goal, other, shown, url, note) for how, other, shown, note in pairs
        ]
    return found


def _forwards(group: Body, code: str) -> Iterator[tuple[str, str, str, str]]:
    known = False
    for element in group.get("element", []):
        if element.get("code") != code:
            continue
        known = True
        for target in element.get("target", []):
            yield (
                str(target.get("equivalence", "relatedto")),
                str(target.get("code", "")),
                str(target.get("display", "")),
                str(target.get("comment", "")),
            )
    rest = group.get("unmapped", {})
    if not known and rest.get("mode") == "provided":
        yield "equal", code, "", ""
    elif not known and rest.get("mode") == "fixed":
        yield "inexact", str(rest.get("code", "")), str(rest.get("display", "")), ""


def _backwards(group: Body, code: str) -> Iterator[tuple[str, str, str, str]]:
    for element in group.get("element", []):
        for target in element.get("target", []):
            if target.get("code") == code and "code" in element:
                how = str(target.get("equivalence", "relatedto"))
                yield (
                    _REVERSED.get(how, how),
                    str(element["code"]),
                    str(element.get("display", "")),
                    str(target.get("comment", "")),
                )
