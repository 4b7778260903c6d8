"""Places: ways through a resource's JSON to values of one type, and the steps they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from healthhub.model.r4 import shape
from healthhub.model.resource import Body


class Unreadable(ValueError):
    """The expression is not within the part of FHIRPath that search understands."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A step that keeps some of the values, or replaces a value by what is tested of it."""

    text: str
    keep: Callable[[Any], Iterator[Any]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


Step = str | Filter


@dataclass(frozen=True, slots=True)
class Place:
    """A way through a resource to values of one type.

    ``many``: more than one value may lie there. ``target``: only references to this type count.
    """

    steps: tuple[Step, ...]
    type: str
    many: bool = False
    target: str = ""

    @property
    def path(self) -> str:
        """The way as text; equal texts are equal ways, whatever the parameter."""
        return ".".join(step if isinstance(step, str) else step.text for step in self.steps)


def walk(value: Any, steps: tuple[Step, ...], depth: int = 0) -> Iterator[Any]:
    """The values at the end of a way."""
    if type(value) is list:
        for entry in value:
            yield from walk(entry, steps, depth)
    elif depth == len(steps):
        if value is not None:
            yield value
    elif isinstance(step := steps[depth], str):
        if type(value) is dict and step in value:
            yield from walk(value[step], steps, depth + 1)
    else:
        for kept in step.keep(value):
            yield from walk(kept, steps, depth + 1)


def reached(body: Body, place: Place) -> Iterator[Any]:
    """The values that lie at a place of a resource or element."""
    return walk(body, place.steps)


def filtered(found: list[Place], text: str, test: Callable[[Any], bool]) -> list[Place]:
    """Of the values there only those that pass a test."""

    def keep(value: Any) -> Iterator[Any]:
        if test(value):
            yield value

    step = Filter(text, keep)
    return [replace(place, steps=(*place.steps, step)) for place in found]


def indexed(found: list[Place], number: int) -> list[Place]:
    """The nth of the elements, which the step before it leads to."""
    made = []
    for place in found:
        *before, last = place.steps
        if not isinstance(last, str):
            raise Unreadable("an index follows an element's name")

        def keep(value: Any, name: str = last) -> Iterator[Any]:
            held = value.get(name) if type(value) is dict else None
            if type(held) is list and number < len(held):
                yield held[number]

        step = Filter(f"{last}[{number}]", keep)
        made.append(replace(place, steps=(*before, step)))
    return made


def extension(found: list[Place], url: str) -> list[Place]:
    """The extensions with this address."""
    inner = child(found, "extension")
    return filtered(
        inner, f"[url={url}]", lambda value: type(value) is dict and value.get("url") == url
    )


def of_type(found: list[Place], name: str) -> list[Place]:
    """The places whose values are of a type."""
    # R4 itself writes value.as(DateTime) for a dateTime.
    kept = [place for place in found if place.type.lower() == name.lower()]
    for place in found:
        if place.type == "Resource" and name in shape.resources():
            typed = filtered([place], f"[{name}]", _is_resource(name))
            kept += [replace(each, type=name) for each in typed]
    return kept


def _is_resource(name: str) -> Callable[[Any], bool]:
    return lambda value: type(value) is dict and value.get("resourceType") == name


def child(found: list[Place], name: str) -> list[Place]:
    """An element of the elements there, or each of those that a choice stands for."""
    made: list[Place] = []
    for place in found:
        elements = shape.elements(place.type)
        names = [name] if name in elements else _choices(elements, name)
        for full in names:
            type_, many = elements[full]
            made.append(
                replace(place, steps=(*place.steps, full), type=type_, many=place.many or many)
            )
    if not made:
        types = ", ".join(sorted({place.type for place in found})) or "nothing"
        raise Unreadable(f"{types} has no element {name!r}")
    return made


def _choices(elements: Any, name: str) -> list[str]:
    """The elements of a choice: value -> valueQuantity, valueString, ..."""
    return [
        full
        for full, (type_, _) in elements.items()
        if full.startswith(name) and full[len(name) :] == type_[:1].upper() + type_[1:]
    ]
