"""Slices: which values of a list belong to which, by the discriminators of the slicing.

http://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from healthhub.model.profiles import values
from healthhub.model.profiles.tree import Rule
from healthhub.model.profiles.values import Value
from healthhub.model.resource import Body

Codes = Callable[[str], frozenset[tuple[str, str]] | None]


class CannotTell(Exception):
    """The discriminators are of a kind that the hub cannot judge."""


def belongs(element: Rule, slice_: Rule, value: Value, codes: Codes) -> bool:
    """Whether a value is of this slice; CannotTell when the hub does not know."""
    given: list[Body] = element.said.get("slicing", {}).get("discriminator", [])
    if not given:
        if element.name.endswith("[x]"):
            given = [{"type": "type", "path": "$this"}]
        elif element.name in ("extension", "modifierExtension"):
            given = [{"type": "value", "path": "url"}]
        else:
            raise CannotTell
    return all(_is_so(one, slice_, value, codes) for one in given)


def _is_so(discriminator: Body, slice_: Rule, value: Value, codes: Codes) -> bool:
    kind, path = discriminator.get("type"), str(discriminator.get("path", ""))
    if "(" in path:
        raise CannotTell
    steps = [] if path == "$this" else path.removeprefix("$this.").split(".")
    match kind:
        case "value" | "pattern":
            return _by_value(slice_, steps, value, codes)
        case "type" if not steps:
            return bool(value.choice) and value.choice.lower() in {
                str(one.get("code")).lower() for one in slice_.types
            }
        case "type" if steps[-1] == "resource":
            return _by_resource(slice_, steps, value)
        case "exists" if steps:
            return _by_existence(slice_, steps, value)
        case _:
            raise CannotTell


def _by_value(slice_: Rule, steps: list[str], value: Value, codes: Codes) -> bool:
    if steps == ["url"] and (profile := _extension(slice_)):
        return _step(value.value, "url") == [profile]
    node, found = slice_, [value.value]
    for depth, step in enumerate(steps):
        if node.fixed is not None:
            return any(values.fits(_within(node.fixed, steps[depth:]), one) for one in found)
        found = [inner for one in found for inner in _step(one, step)]
        child = node.children.get(step)
        if child is None:
            raise CannotTell
        node = child
    if node.fixed is not None:
        rule = node.fixed
        return any(values.fits(rule, one) for one in found)
    return _by_parts(node, found, codes)


def _by_parts(node: Rule, found: list[Any], codes: Codes) -> bool:
    """A slice whose discriminator is an object: all that it fixes inside, or its value set."""
    binding = node.said.get("binding", {})
    if binding.get("strength") == "required":
        known = codes(str(binding.get("valueSet")))
        if known is None:
            raise CannotTell
        return any(in_codes(one, known) for one in found)
    inside = [
        (name, child.fixed) for name, child in node.children.items() if child.fixed is not None
    ]
    if not inside:
        raise CannotTell
    return any(
        all(any(values.fits(rule, part) for part in _step(one, name)) for name, rule in inside)
        for one in found
    )


def _by_existence(slice_: Rule, steps: list[str], value: Value) -> bool:
    node, found = slice_, [value.value]
    for step in steps:
        found = [inner for one in found for inner in _step(one, step)]
        child = node.children.get(step)
        if child is None:
            raise CannotTell
        node = child
    if node.max == 0:
        return not found
    if node.min > 0:
        return bool(found)
    raise CannotTell


def _by_resource(slice_: Rule, steps: list[str], value: Value) -> bool:
    """Entries of a Bundle by the type of their resource."""
    node: Rule | None = slice_
    found = [value.value]
    for step in steps:
        found = [inner for one in found for inner in _step(one, step)]
        node = node.children.get(step) if node else None
    if node is None or not node.types:
        raise CannotTell
    allowed = {one.get("code") for one in node.types}
    return any(kind in allowed for one in found for kind in _step(one, "resourceType"))


def in_codes(value: Any, known: frozenset[tuple[str, str]]) -> bool:
    """Whether a code, Coding, CodeableConcept or Quantity has one of the (system, code) pairs."""
    if isinstance(value, str):
        return any(code == value for _, code in known)
    if not isinstance(value, dict):
        return False
    held = cast(Body, value)
    codings = cast(list[Body], held["coding"]) if "coding" in held else [held]
    return any((one.get("system", ""), one.get("code", "")) in known for one in codings)


def _extension(slice_: Rule) -> str:
    for one in slice_.types:
        for profile in one.get("profile", []):
            return str(profile).partition("|")[0]
    return ""


def _within(rule: tuple[str, Any], steps: list[str]) -> tuple[str, Any]:
    """The pattern that stands above the discriminator's path, cut down to that path."""
    name, wanted = rule
    cut = wanted
    for step in steps:
        cut = _step(cut, step)
        cut = cut[0] if cut else None
    if cut is None:
        raise CannotTell
    for step in reversed(steps):
        cut = {step: cut}
    return ("pattern" + name.removeprefix("fixed").removeprefix("pattern"), cut)


def _step(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return [inner for item in cast(list[Any], value) for inner in _step(item, name)]
    if not isinstance(value, dict):
        return []
    return [one.value for one in values.of(cast(Body, value), name, "")]
