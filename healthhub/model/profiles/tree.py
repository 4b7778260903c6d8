"""A profile as a tree: its ElementDefinitions, each below the one that it refines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from healthhub.model.resource import Body

CORE = "http://hl7.org/fhir/StructureDefinition/"
DEEPEST = 12
"""Profiles that may be based on one another."""
Resolve = Callable[[str], Body | None]


@dataclass
class Rule:
    """What a profile says of one element, or of one slice of it."""

    name: str
    place: str
    said: Body = field(default_factory=dict[str, Any])
    children: dict[str, Rule] = field(default_factory=dict[str, "Rule"])
    slices: dict[str, Rule] = field(default_factory=dict[str, "Rule"])

    @cached_property
    def fixed(self) -> tuple[str, Any] | None:
        """The name and value of fixed[x] or pattern[x]."""
        for name, value in self.said.items():
            if name.startswith(("fixed", "pattern")):
                return name, value
        return None

    @property
    def types(self) -> list[Body]:
        """The types it allows; empty when it leaves them as they are."""
        return self.said.get("type", [])

    @property
    def min(self) -> int:
        """How many at least."""
        return self.said.get("min", 0)

    @property
    def max(self) -> int | None:
        """How many at most; None for any number."""
        text = str(self.said.get("max", "*"))
        return int(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True)
class Profile:
    """A profile read: its type, its tree, and the bases that could not be found."""

    url: str
    type: str
    root: Rule
    missing: tuple[str, ...] = ()


def read(definition: Body, resolve: Resolve) -> Profile:
    """The profile with all that its bases say; ``resolve`` gives a StructureDefinition by its
    canonical address, None where there is none."""
    chain: list[Body] = [definition]
    missing: list[str] = []
    while len(chain) < DEEPEST:
        base = str(chain[-1].get("baseDefinition", "")).partition("|")[0]
        if not base or base == CORE + str(chain[-1].get("type")):
            break
        found = resolve(base)
        if found is None:
            missing.append(base)
            break
        chain.append(found)
    root = Rule(str(definition.get("type")), str(definition.get("type")))
    for one in reversed(chain):
        for element in _elements(one):
            _place(root, element)
    return Profile(str(definition.get("url")), root.name, root, tuple(missing))


def _elements(definition: Body) -> Iterable[Body]:
    for view in ("differential", "snapshot"):
        listed = cast(Body, definition.get(view) or {}).get("element")
        if listed:
            return cast(list[Body], listed)
    return ()


def _place(root: Rule, element: Body) -> None:
    """Put what an element says at its node; a later statement of the same thing wins."""
    node = root
    steps = str(element.get("id") or element["path"]).split(".")[1:]
    for step in steps:
        name, _, slice_ = step.partition(":")
        node = node.children.setdefault(name, Rule(name, f"{node.place}.{name}"))
        for part in slice_.split("/") if slice_ else ():
            node = node.slices.setdefault(part, Rule(name, f"{node.place}:{part}"))
    constraints = [*node.said.get("constraint", []), *element.get("constraint", [])]
    node.said = node.said | element
    if constraints:
        node.said["constraint"] = list({one["key"]: one for one in constraints}.values())
