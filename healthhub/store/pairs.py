"""Composites: pairs of values of one element, and the texts under which they are found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from healthhub.store import spans, spelling
from healthhub.store.entries import Index, Take, spelled
from healthhub.store.hashes import ANY_SYSTEM, span_key, token
from healthhub.store.parameters import Parameter
from healthhub.store.place import walk
from healthhub.store.referred import referred


def composite_take(resource_type: str, path: str, parameter: Parameter) -> Take:
    """Pairs of values of one element; those of the whole resource need no entry."""
    field = pair_field(path, parameter)
    first, second = parameter.components

    def take(index: Index, element: Any) -> bool:
        lefts = forms(resource_type, first, element)
        if second.kind in ("quantity", "number", "date"):
            found = [*amounts(second, element)]
            for left, (unit, low, high) in product(lefts, found):
                index.spans.add((span_key(f"{field}${left}", unit), low, high))
        else:
            for left, right in product(lefts, forms(resource_type, second, element)):
                index.tokens.add(token(field, f"{left}${right}"))
        return False

    return take


def pair_field(path: str, parameter: Parameter) -> str:
    """The field of a composite; parameters that pair the same elements share it."""
    ways = "$".join(
        ",".join(place.path for place in component.places) for component in parameter.components
    )
    return f"{path}${ways}"


def forms(resource_type: str, component: Parameter, element: Any) -> set[str]:
    """The texts under which a component's values within an element are found."""
    found: set[str] = set()
    for place in component.places:
        for value in walk(element, place.steps):
            if component.kind == "reference":
                _, text = referred(value)
                found.add(text)
            elif isinstance(value, dict):
                for coding in value.get("coding", (value,)):
                    if code := coding.get("code"):
                        found |= {code, f"{coding.get('system', '')}|{code}"}
            elif component.kind == "string":
                found.add(spelling.normal(value))
            else:
                found.add(ANY_SYSTEM + spelled(value))
    return found


def amounts(component: Parameter, element: Any) -> Iterator[spans.Amount]:
    """The spans of a component's values within an element."""
    for place in component.places:
        for value in walk(element, place.steps):
            match component.kind:
                case "date":
                    yield from spans.of_date(value)
                case "number":
                    yield from spans.of_number(value)
                case _:
                    yield from spans.of_quantity(value)
