"""All objects inside a resource, each with its place and its type in R4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from healthhub.model.r4 import shape
from healthhub.model.resource import Body


@dataclass(frozen=True, slots=True)
class Node:
    """An object: where it is, of which type, and the resource that it is an element of."""

    place: str
    type: str
    body: Body
    resource: Body


def walk(body: Body) -> Iterator[Node]:
    """The resource itself, then what it holds, depth first; contained resources too.

    The body has passed ``shape.check``.
    """
    yield from _below(Node(body["resourceType"], body["resourceType"], body, body))


def _below(node: Node) -> Iterator[Node]:
    yield node
    known = _elements(node.type)
    for name, value in node.body.items():
        type_, many = known.get(name, ("", False))
        if not type_:
            continue
        items = cast(list[Any], value) if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                continue
            child = cast(Body, item)
            place = f"{node.place}.{name}[{index}]" if many else f"{node.place}.{name}"
            if type_ == "Resource":
                yield from _below(Node(place, str(child.get("resourceType")), child, child))
            else:
                yield from _below(Node(place, type_, child, node.resource))


@cache
def _elements(type_: str) -> dict[str, tuple[str, bool]]:
    return shape.elements(type_)
