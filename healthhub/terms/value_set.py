"""Expansion of value sets: which codes a definition stands for.

http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from healthhub.errors import Unprocessable
from healthhub.terms.code_system import CodeSystem, Concept

Body = dict[str, Any]
DEEPEST = 20
"""Value sets that may include one another."""
_REGEX_LONGEST = 200


class CannotExpand(Unprocessable):
    """The hub does not have what the value set is made of."""

    issue = "not-supported"


@dataclass(frozen=True)
class Shelf:
    """Where code systems and value sets are found by canonical address; None: not here."""

    system: Callable[[str], CodeSystem | None]
    value_set: Callable[[str], Body | None]


def expand(value_set: Body, shelf: Shelf, depth: int = 0) -> list[Concept]:
    """The codes, in the order of the definition; CannotExpand names what is missing."""
    if depth > DEEPEST:
        raise CannotExpand("the value sets include one another in a circle; mend one of them")
    compose = value_set.get("compose")
    if compose is None:
        return _listed(value_set.get("expansion", {}).get("contains", []))
    found: dict[tuple[str, str], Concept] = {}
    for part in compose.get("include", []):
        for concept in _part(part, shelf, depth):
            found.setdefault((concept.system, concept.code), concept)
    for part in compose.get("exclude", []):
        for concept in _part(part, shelf, depth):
            found.pop((concept.system, concept.code), None)
    if compose.get("inactive") is False:
        return [concept for concept in found.values() if not concept.is_inactive]
    return list(found.values())


def canonicals(value_set: Body) -> tuple[set[str], set[str]]:
    """The code systems and the value sets that a definition names."""
    compose = value_set.get("compose", {})
    parts = [*compose.get("include", []), *compose.get("exclude", [])]
    systems = {_address(part, "system", "version") for part in parts if "system" in part}
    return systems, {str(url) for part in parts for url in part.get("valueSet", [])}


def _address(part: Body, name: str, version: str) -> str:
    url = str(part[name])
    return f"{url}|{part[version]}" if version in part else url


def _listed(contains: list[Body]) -> list[Concept]:
    found: list[Concept] = []
    for one in contains:
        if "code" in one and not one.get("abstract"):
            found.append(
                Concept(
                    str(one.get("system", "")),
                    str(one["code"]),
                    str(one.get("display", "")),
                    str(one.get("version", "")),
                    one,
                )
            )
        found += _listed(one.get("contains", []))
    return found


def _part(part: Body, shelf: Shelf, depth: int) -> list[Concept]:
    """One include or exclude: its system's codes that are in all of its value sets."""
    mine = _of_system(part, shelf) if "system" in part else None
    for url in part.get("valueSet", []):
        other = shelf.value_set(str(url))
        if other is None:
            raise CannotExpand(f"the hub has no value set {url}; store it here first")
        inside = expand(other, shelf, depth + 1)
        if mine is None:
            mine = inside
        else:
            keys = {(one.system, one.code) for one in inside}
            mine = [one for one in mine if (one.system, one.code) in keys]
    return mine or []


def _of_system(part: Body, shelf: Shelf) -> list[Concept]:
    url = str(part["system"])
    system = shelf.system(_address(part, "system", "version"))
    if "concept" in part:
        return [_chosen(url, one, system) for one in part["concept"]]
    if system is None or not system.is_complete:
        raise CannotExpand(
            f"the hub does not hold all codes of {url}; store it as a CodeSystem with "
            "content complete"
        )
    codes = list(system)
    for one in part.get("filter", []):
        codes = [concept for concept in codes if _passes(concept, one, system)]
    return codes


def _chosen(url: str, one: Body, system: CodeSystem | None) -> Concept:
    """A code that the definition lists; its own words win over the system's."""
    code = str(one["code"])
    known = system.find(code) if system else None
    made = known or Concept(url, code)
    more = dict(made.more or {})
    if "designation" in one:
        more["designation"] = one["designation"]
    return replace(made, code=code, display=str(one.get("display", made.display)), more=more)


def _passes(concept: Concept, rule: Body, system: CodeSystem) -> bool:
    """http://hl7.org/fhir/R4/valueset-filter-operator.html"""
    name, op, value = str(rule["property"]), str(rule["op"]), str(rule["value"])
    match op:
        case "is-a":
            return concept.code == value or concept.code in system.below(value)
        case "descendent-of":
            return concept.code in system.below(value)
        case "is-not-a":
            return concept.code != value and concept.code not in system.below(value)
        case "generalizes":
            return concept.code == value or concept.code in system.above(value)
    said = _said(concept, name, system)
    match op:
        case "=":
            return value in said
        case "in":
            return not said.isdisjoint(part.strip() for part in value.split(","))
        case "not-in":
            return said.isdisjoint(part.strip() for part in value.split(","))
        case "exists":
            return bool(said) is (value == "true")
        case "regex":
            return any(_pattern(value).fullmatch(one) for one in said)
        case _:
            raise CannotExpand(f"{op!r} is no operator of a filter in FHIR R4; correct it")


def _pattern(text: str) -> re.Pattern[str]:
    # A pattern with nested repetition can run for ever: those are refused, and so are long ones.
    if len(text) > _REGEX_LONGEST or re.search(r"[*+}]\)*[*+{]|\([^)]*[*+][^)]*\)[*+{]", text):
        raise CannotExpand(
            "the filter's pattern is too long or repeats a repetition; simplify it"
        )
    try:
        return re.compile(text)
    except re.error:
        raise CannotExpand(
            "the filter's pattern is no regular expression; correct it"
        ) from None


def _said(concept: Concept, name: str, system: CodeSystem) -> set[str]:
    match name:
        case "code" | "concept":
            return {concept.code}
        case "display":
            return {concept.display}
        case "parent":
            return set(system.parents(concept.code))
        case "child":
            return set(system.children(concept.code))
    return {
        str(value["code"])
        if isinstance(value, dict)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for one in concept.properties
        if one.get("code") == name
        for key, value in one.items()
        if key.startswith("value")
    }
