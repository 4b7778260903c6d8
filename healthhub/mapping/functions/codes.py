"""Functions on codes: tables of the mapping, coding systems, CodeableConcepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healthhub.adapter_api.text import clean
from healthhub.mapping.definition import Code, CodeTable
from healthhub.mapping.functions.registry import Run, function, special
from healthhub.terms.forms import half

Coding = dict[str, str]
Concept = dict[str, Any]
Seen = tuple[str, int]
"""A code that the table itself lacks, and the overlay's version that maps it (0: none)."""
CACHE = 20_000
"""Concepts remembered of one source; what is looked up again and again is few."""


@dataclass(slots=True)
class Lookup:
    """A code table ready to be looked up, with the concepts worked out so far."""

    table: CodeTable
    exact: Mapping[str, Code] = field(init=False)
    loose: Mapping[str, Code] = field(init=False)
    concepts: dict[tuple[str, str, str], tuple[Concept | None, Seen | None]] = field(
        default_factory=dict[tuple[str, str, str], tuple[Concept | None, "Seen | None"]]
    )

    def __post_init__(self) -> None:
        self.exact = self.table.entries
        self.loose = {loose(source): code for source, code in self.table.entries.items()}

    def find(self, text: str) -> Code | None:
        """The entry of a source code, as it stands or loosely."""
        found = self.exact.get(text)
        return found if found is not None else self.loose.get(loose(text))

    def coding(self, code: Code) -> Coding:
        """The Coding of an entry."""
        result: Coding = {}
        system = code.system or self.table.system
        if system:
            result["system"] = system
        result["code"] = code.code
        if code.display:
            result["display"] = code.display
        return result


def loose(text: str) -> str:
    """A code as tables compare it when they do not have it as it stands."""
    return half(text).strip().upper()


_NONE = Lookup(CodeTable("", None))  # pyright: ignore[reportArgumentType]


def code(
    run: Run, node: Any, need: Any, value: str, separator: str, lookup: Lookup
) -> str | None:
    """The code that a table gives."""
    parts = _parts(value, separator)
    for text in (parts[0], parts[1]):
        if text is not None:
            found = lookup.find(text)
            if found is not None:
                if found.version:
                    run.sight(lookup.table.name, text, found.version, parts[1] or "")
                return found.code or None
    if parts[0] is None and parts[1] is None:
        return None
    _unknown(run, node, need, lookup, parts[0] or parts[1] or "", parts[1])
    default = lookup.table.default
    return default.code or None if default else None


def coding(
    run: Run, node: Any, need: Any, value: str, separator: str, lookup: Lookup = _NONE
) -> Coding | None:
    """The first Coding of what concept gives; of an unknown code the default, if any."""
    parts = _parts(value, separator)
    if lookup is not _NONE and lookup.table.default and lookup.table.default.code:
        text = parts[0] or parts[1]
        if text is not None and _entry(lookup, parts) is None:
            _unknown(run, node, need, lookup, text, parts[1])
            return lookup.coding(lookup.table.default)
    found = concept(run, node, need, value, separator, lookup)
    codings = found.get("coding") if found else None
    return codings[0] if codings else None


def concept(
    run: Run, node: Any, need: Any, value: str, separator: str, lookup: Lookup = _NONE
) -> Concept | None:
    """A CodeableConcept: mapped coding, original ones, text."""
    key = (run.namespace, value, separator)
    known = lookup.concepts.get(key)
    if known is None:
        if len(lookup.concepts) >= CACHE:
            lookup.concepts.clear()
        known = lookup.concepts[key] = _concept(run, _parts(value, separator), lookup)
    result, seen = known
    if seen is not None:
        display = _parts(value, separator)[1]
        if seen[1]:
            run.sight(lookup.table.name, seen[0], seen[1], display or "")
        else:
            _unknown(run, node, need, lookup, seen[0] or value, display)
    return result


def _concept(
    run: Run, parts: list[str | None], lookup: Lookup
) -> tuple[Concept | None, Seen | None]:
    found = None if lookup is _NONE else _entry(lookup, parts)
    entry = found[1] if found else None
    solved = (found[0], entry.version) if found and entry and entry.version else None
    if entry is not None and not entry.code:
        return None, solved
    codings = [lookup.coding(entry)] if entry is not None else []
    seen = {(c.get("system"), c["code"]) for c in codings}
    for first in (0, 3):
        # a person's map says what a code means, not that it is one of the table's source system
        own = entry is not None and not entry.version
        original = _original(run, parts, first, lookup, known=own)
        if original and (original.get("system"), original["code"]) not in seen:
            seen.add((original.get("system"), original["code"]))
            codings.append(original)
    text = parts[8] or parts[1] or parts[4]
    if text is None and entry is None and codings:
        text = parts[0] or parts[3]
    result: Concept = {}
    if codings:
        result["coding"] = codings
    if text:
        result["text"] = text
    unknown = lookup is not _NONE and entry is None and bool(parts[0] or parts[1])
    if unknown and parts[2]:
        # a code of another system that the message names (SNOMED CT, NCI) is no stranger
        named = run.terms.system(parts[2], parts[0] or "")
        unknown = named is None or named == lookup.table.source_system
    return result or None, (parts[0] or parts[1] or "", 0) if unknown else solved


def _entry(lookup: Lookup, parts: list[str | None]) -> tuple[str, Code] | None:
    """The text that the table has, and its entry."""
    for text in (parts[0], parts[3], parts[1]):
        if text is not None:
            entry = lookup.find(text)
            if entry is not None:
                return text, entry
    return None


def _original(
    run: Run, parts: list[str | None], first: int, lookup: Lookup, *, known: bool
) -> Coding | None:
    """The coding as it was sent: components 1 to 3, or 4 to 6. Without a named system it is one
    of the table's source system only if the table knows it: another's "2" is not HL7's."""
    sent = parts[first]
    if sent is None or (first and (not re.search(r"\w", sent))):
        return None
    named = parts[first + 2]
    system = run.terms.system(named, sent) if named else None
    if system is None and not named and known:
        system = lookup.table.source_system or None
    if system is None:
        local = named if named and run.terms.system(named) is None else lookup.table.name
        tail = f":{re.sub(chr(92) + 's+', '_', local)}" if local else ""
        system = f"urn:healthhub:codes:{run.namespace}{tail}"
    result: Coding = {"system": system, "code": " ".join(sent.split())}
    display = parts[first + 1]
    if display:
        result["display"] = display
    return result


def _parts(value: str, separator: str) -> list[str | None]:
    """Nine components, cleaned; None where there is nothing."""
    found: list[str | None] = []
    for text in value.split(separator)[:9]:
        if separator == "^" and "&" in text:
            text = text.split("&", 1)[0]
        found.append(clean(text) if text else None)
    return found + [None] * (9 - len(found))


def _unknown(
    run: Run, node: Any, need: Any, lookup: Lookup, text: str, display: str | None
) -> None:
    run.sight(lookup.table.name, text, 0, display or "")
    run.remark(
        "unknown-code",
        node,
        need,
        f"the table {lookup.table.name} has no such code; it was kept as it came",
        text,
    )


@function("concept_of(code, system, display) or | concept_of(system, display)", "nothing")
def concept_of(
    code: str, system: str | None = None, display: str | None = None
) -> Concept | None:
    """A CodeableConcept of a code that the rule names, its system and display."""
    if not code:
        return None
    result: Coding = {"code": code}
    if system:
        result = {"system": system, "code": code}
    if display:
        result["display"] = display
    return {"coding": [result]}


@function("coding_of(code, system, display)", "nothing")
def coding_of(
    code: str, system: str | None = None, display: str | None = None
) -> Coding | None:
    """A Coding of a code that the rule names, its system and display."""
    found = concept_of(code, system, display)
    return found["coding"][0] if found else None


@function("| system", asks=True)
def system(run: Run, node: Any, need: Any, value: str) -> str | None:
    """The URI of a code system that the message names (LN, SCT, I10, HL70001, an OID)."""
    return run.terms.system(value)


special(
    "code",
    "| code(table)",
    "The code that a table of `codes` gives; of an unknown one its default.",
    "value",
)
special(
    "coding", "| coding(table)", "A Coding: the mapped one, else the original one.", "value"
)
special(
    "concept",
    "| concept(table) or | concept",
    "A CodeableConcept: mapped coding, original coding(s), text.",
    "value",
)
special(
    "ref",
    "ref(block), ref(Type, key, …) or | ref(block)",
    "A reference to what a block makes, or by type and key.",
)
special(
    "refs",
    "refs(block)",
    "References to all that a block makes below the node at hand (or around it).",
)
special("link", "link(block) or | link(block)", "As ref, but the text Type/id alone.")
special(
    "nth",
    "nth(value, …)",
    "Tells siblings with equal values apart: empty for the first, then 2, 3, …",
)
special("erase", "erase()", "Empties the element, as the HL7 null does.")
