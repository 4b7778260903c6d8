"""The search parameters that the hub knows: those of R4, read from the specification's own data.

search_definitions.json is made by tools/search_parameters.py. Each parameter of each type is
compiled at its first use; a type's places in a resource are fields, shared by the parameters
that read them, so that ``combo-code`` costs nothing beside ``code``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from healthhub.model.r4 import shape
from healthhub.store import expressions, types
from healthhub.store.hashes import token
from healthhub.store.place import Place
from healthhub.store.r4_settled import CLINICAL, CORRECTED, ILLEGIBLE, OWNERS, WITHOUT_SEARCH

DEFINITIONS = "http://hl7.org/fhir/SearchParameter/"
CONTROL = (
    "_count", "_sort", "_include", "_revinclude", "_total", "_cursor", "_format", "_pretty",
    "_summary", "_type",
)  # fmt: skip
"""Parameters that shape the result instead of choosing it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type (http://hl7.org/fhir/R4/searchparameter-registry.html).

    ``kind`` is FHIR's. ``bit`` marks in a row that the resource has a value (:missing); 0 where
    every resource has one. ``components`` are those of a composite, their places within the
    element that ``places`` lead to. ``clinical``: it is the date that rows are sorted by.
    ``own``: an administrator's, by its url; it has no bit but the token ``presence``. It is
    ``ready`` once all rows are indexed by it.
    """

    name: str
    kind: str
    definition: str
    places: tuple[Place, ...]
    targets: tuple[str, ...] = ()
    bit: int = 0
    clinical: bool = False
    components: tuple[Parameter, ...] = ()
    own: str = ""
    ready: bool = True

    @property
    def presence(self) -> int:
        """The token that tells that a row has a value of the hub's own parameter."""
        return token("@present", self.own)

    @property
    def url(self) -> str:
        """The address of its definition; empty for _source, which R4 defines in words only."""
        return self.own or (DEFINITIONS + self.definition if self.definition else "")

    def keyed(self, place: Place, resource_type: str) -> bool:
        """Whether a local Patient at this place is the row's own key and stands nowhere else."""
        return not place.many and place.path == OWNERS.get(resource_type, "subject")


MOST_BITS = 60
"""The bit of _source; those of R4's parameters are below it (Observation has 49)."""
_own: dict[str, tuple[Parameter, ...]] = {}
_editions: list[int] = []


def edition() -> int:
    """Grows whenever the hub's own parameters change, for those who keep what follows."""
    return len(_editions)


def define(
    resource_type: str,
    name: str,
    kind: str,
    url: str,
    expression: str,
    targets: tuple[str, ...],
    ready: bool,
) -> Parameter:
    """A parameter of the hub's own. Raises expressions.Unreadable."""
    places = expressions.places(resource_type, expression)
    if not places:
        raise expressions.Unreadable(f"it reads nothing in {resource_type}")
    wanted = targets or (tuple(types.NAMES) if kind == "reference" else ())
    return Parameter(name, kind, "", places, wanted, own=url, ready=ready)


def install(own: Mapping[str, tuple[Parameter, ...]]) -> None:
    """Let these be the hub's own parameters in this process; they never replace R4's."""
    _own.clear()
    _own.update(own)
    _editions.append(len(_editions))
    for kept in (parameters, named, clinical):
        kept.cache_clear()


@cache
def _data() -> dict[str, Any]:
    path = Path(__file__).with_name("search_definitions.json")
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def _rows() -> dict[str, list[list[Any]]]:
    """The rows of each base type."""
    found: dict[str, list[list[Any]]] = {}
    for row in _data()["parameters"]:
        for base in row[2]:
            found.setdefault(base, []).append(row)
    return found


@cache
def _by_definition() -> dict[str, list[Any]]:
    return {row[5]: row for row in _data()["parameters"]}


@cache
def parameters(resource_type: str) -> tuple[Parameter, ...]:
    """The type's parameters, those of all types last; empty for what is no type.

    The empty name gives those of all types alone.
    """
    if resource_type and resource_type not in types.NUMBERS:
        return ()
    found: dict[str, Parameter] = {}
    for base in (resource_type, "DomainResource", "Resource"):
        for row in _rows().get(base, ()):
            if row[0] not in found and row[0] not in WITHOUT_SEARCH and row[3]:
                made = _parameter(resource_type or "Basic", row, len(found))
                if made is not None:
                    found[row[0]] = made
    for own in _own.get(resource_type, ()):
        found.setdefault(own.name, own)
    if resource_type:
        found["_source"] = Parameter(
            "_source",
            "uri",
            "",
            expressions.places(resource_type, "Resource.meta.source"),
            bit=1 << MOST_BITS,
        )
    return tuple(found.values())


def _parameter(resource_type: str, row: list[Any], number: int) -> Parameter | None:
    name, kind, _, expression, targets, definition, *components = row
    places = tuple(
        place
        for place in expressions.places(resource_type, expression)
        if (kind, place.type) not in ILLEGIBLE
    )
    if not places:
        return None
    if kind == "reference" and not targets:
        targets = ["*"]
    if len(targets) == 1 and targets != ["*"]:
        places = tuple(
            replace(place, target=targets[0]) if place.type == "Resource" else place
            for place in places
        )
    narrowed = {place.target for place in places}
    if "" not in narrowed:
        targets = sorted(narrowed)
    return Parameter(
        name,
        kind,
        definition,
        places,
        tuple(types.NAMES if targets == ["*"] else (t for t in targets if t in types.NUMBERS)),
        0 if name in ("_id", "_lastUpdated") or kind == "composite" else 1 << number,
        kind == "date" and name == CLINICAL.get(resource_type, "date"),
        tuple(
            _component(places, *part)
            for part in CORRECTED.get(definition, components[0] if components else ())
        ),
    )


def _component(places: tuple[Place, ...], definition: str, expression: str) -> Parameter:
    row = _by_definition()[definition]
    inner: dict[Place, None] = {}
    for element in {place.type for place in places}:
        try:
            inner.update(dict.fromkeys(expressions.within(element, expression)))
        except expressions.Unreadable:
            continue  # a choice that this element of several has not
    return Parameter(row[0], row[1], definition, tuple(inner), tuple(row[4]))


@cache
def named(resource_type: str) -> Mapping[str, Parameter]:
    """The type's parameters by name."""
    return {parameter.name: parameter for parameter in parameters(resource_type)}


@cache
def clinical(resource_type: str) -> Parameter | None:
    """The type's clinical date."""
    return next((one for one in parameters(resource_type) if one.clinical), None)


def searchable() -> tuple[str, ...]:
    """The types that can be searched."""
    return tuple(types.NAMES)


def compartment(kind: str, resource_type: str) -> tuple[str, ...]:
    """The parameters by which a type belongs to a compartment; empty where it does not.

    http://hl7.org/fhir/R4/compartmentdefinition.html
    """
    names = _data()["compartments"].get(kind, {}).get(resource_type, ())
    return tuple(name for name in names if name in named(resource_type))


def compartments() -> tuple[str, ...]:
    """The kinds of compartment that R4 defines."""
    return tuple(_data()["compartments"])


@cache
def systems(resource_type: str, path: str) -> tuple[str, ...]:
    """The code systems that a plain code at a path is from; empty where R4 leaves it open."""
    owner, steps = resource_type, path.split(".")
    for step in steps[:-1]:
        found = shape.elements(owner).get(step)
        if found is None:
            return ()
        owner = found[0]
    return tuple(_data()["systems"].get(shape.value_set(owner, steps[-1]), ()))
