"""A partner's own codes: where a resource has no code of a system that others know, what people or
the mapping say that it stands for is put before it; what nobody has mapped is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from healthhub.mapping.definition import Code, CodeTable
from healthhub.model.code_maps import Sighting
from healthhub.model.finding import Finding
from healthhub.model.resource import Body
from healthhub.terms import Terms


@dataclass(frozen=True, slots=True)
class OwnCodes:
    """The code tables of a mapping; ``entry`` is what a table, with its overlay, makes of a
    code (None: it is unknown)."""

    tables: Mapping[str, CodeTable]
    entry: Callable[[str, str], Code | None]
    terms: Terms

    def mapped(self, body: Body, paths: Mapping[str, str]) -> Iterator[tuple[str, Sighting]]:
        """Map the concepts that ``paths`` lead to, each by the table that is named there, in the
        resource itself. Gives the place (``component[1].code``) and code of those that the
        table lacks, or that people have mapped."""
        for path, table in paths.items():
            for place, concept in _concepts(body, path.split("."), ""):
                sighting = self._mapped(concept, self.tables[table])
                if sighting is not None:
                    yield place, sighting

    def _mapped(self, concept: Body, table: CodeTable) -> Sighting | None:
        codings = [each for each in concept.get("coding", ()) if each.get("code")]
        if any(self._known(each, table) for each in codings):
            return None
        text = str(concept.get("text", ""))
        names = [(each["code"], str(each.get("display") or text)) for each in codings]
        names += [(text, text)] if text else []
        for code, display in names:
            entry = self.entry(table.name, code)
            if entry is not None:
                if entry.code:
                    coding = _coding(entry, table)
                    concept["coding"] = [coding, *concept.get("coding", ())]
                return (
                    Sighting(table.name, code, entry.version, display)
                    if entry.version
                    else None
                )
        return Sighting(table.name, names[0][0], 0, names[0][1]) if names else None

    def _known(self, coding: Body, table: CodeTable) -> bool:
        system = str(coding.get("system", ""))
        return self.terms.is_shared(system, coding["code"], table.system)


def unmapped(sighting: Sighting, place: str) -> Finding:
    """What is told of a code that nobody has mapped."""
    return Finding(
        "warning",
        "unknown-code",
        place,
        f"the code is the sender's own and not in the table {sighting.table}; it is kept as it "
        "came, until somebody says what it stands for",
        value=sighting.code,
    )


def _coding(entry: Code, table: CodeTable) -> Body:
    coding = {
        "system": entry.system or table.system,
        "code": entry.code,
        "display": entry.display,
    }
    return {name: said for name, said in coding.items() if said}


def _concepts(value: Any, path: list[str], place: str) -> Iterator[tuple[str, Body]]:
    if isinstance(value, list):
        for index, each in enumerate(cast(list[Any], value)):
            yield from _concepts(each, path, f"{place}[{index}]")
    elif isinstance(value, dict):
        held = cast(Body, value)
        if not path:
            yield place, held
        elif path[0] in held:
            below = f"{place}.{path[0]}" if place else path[0]
            yield from _concepts(held[path[0]], path[1:], below)
