"""Values of elements: how an element's name finds them, and whether one is like a pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from healthhub.model.resource import Body

_CHOICE = re.compile(r"[A-Z][A-Za-z0-9]*")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, where it is, and for a choice its type (``String`` of valueString)."""

    place: str
    value: Any
    choice: str = ""


def of(holder: Body, name: str, place: str) -> list[Value]:
    """The values of an element of an object; ``value[x]`` finds each of its names."""
    if not name.endswith("[x]"):
        return _listed(_said(holder, name), f"{place}.{name}")
    stem = name.removesuffix("[x]")
    found: list[Value] = []
    for key in dict.fromkeys(key.removeprefix("_") for key in holder):
        rest, value = key.removeprefix(stem), _said(holder, key)
        if rest != key and _CHOICE.fullmatch(rest):
            found += [Value(v.place, v.value, rest) for v in _listed(value, f"{place}.{key}")]
    return found


def _said(holder: Body, name: str) -> Any:
    """The value; of a primitive that has only extensions (a reason for its absence) those."""
    value = holder.get(name)
    return holder.get(f"_{name}") if value is None else value


def _listed(value: Any, place: str) -> list[Value]:
    if value is None:
        return []
    if isinstance(value, list):
        return [
            Value(f"{place}[{index}]", item)
            for index, item in enumerate(cast(list[Any], value))
            if item is not None
        ]
    return [Value(place, value)]


def fits(rule: tuple[str, Any], value: Any) -> bool:
    """Whether a value is the fixed one, or holds the pattern."""
    name, wanted = rule
    return value == wanted if name.startswith("fixed") else _holds(wanted, value)


def _holds(pattern: Any, value: Any) -> bool:
    """http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_"""
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return False
        held = cast(Body, value)
        return all(
            name in held and _holds(part, held[name])
            for name, part in cast(Body, pattern).items()
        )
    if isinstance(pattern, list):
        items = cast(list[Any], value) if isinstance(value, list) else [value]
        return all(
            any(_holds(part, item) for item in items) for part in cast(list[Any], pattern)
        )
    return pattern == value
