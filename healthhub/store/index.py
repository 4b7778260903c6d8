"""What a resource is found by: a pure function of its body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from healthhub.model.resource import Body
from healthhub.store import concepts, entries, spans
from healthhub.store.entries import Index, Take
from healthhub.store.pairs import composite_take, pair_field
from healthhub.store.parameters import Parameter, parameters
from healthhub.store.place import Place, Step, walk
from healthhub.store.referred import reference_take


def of(body: Body) -> Index:
    """All index entries of a resource."""
    index = Index()
    plan = _plan(body["resourceType"])
    for name, found in body.items():
        for steps, bit, take in plan.get(name, ()):
            if steps:
                values: Iterable[Any] = walk(found, steps)
            else:
                values = found if type(found) is list else (found,)
            for value in values:
                if taken := take(index, value):
                    index.present |= bit if taken is True else taken
    for steps, bit, take in plan.get("", ()):
        for value in walk(body, steps):
            if taken := take(index, value):
                index.present |= bit if taken is True else taken
    if index.dates:
        index.clinical = spans.hull(index.dates)
    sizes = concepts.sizes(body["resourceType"], index.spans)
    index.size = min(sizes, default=None)
    index.concept = concepts.of(body, sizes, index.clinical)
    return index


Line = tuple[tuple[Step, ...], int, Take]


@cache
def _plan(resource_type: str) -> dict[str, list[Line]]:
    """What to do with each top-level element of a type; "" for what needs the whole body."""
    plan: dict[str, list[Line]] = {}
    for place, kind, found in _fields(resource_type):
        take = _take(resource_type, place, kind, found)
        if take is None:
            continue
        first, *rest = place.steps or ("",)
        bits = 0
        for parameter in found:
            bits |= parameter.bit
            if parameter.own:
                take = _present(take, parameter.presence)
        if isinstance(first, str):
            plan.setdefault(first, []).append((tuple(rest), bits, take))
        else:
            plan.setdefault("", []).append((place.steps, bits, take))
    return plan


def _present(take: Take, presence: int) -> Take:
    """The same, noting that a parameter of the hub's own has a value."""

    def noting(index: Index, value: Any) -> bool | int:
        taken = take(index, value)
        if taken is not False:
            index.tokens.add(presence)
        return taken

    return noting


def forget() -> None:
    """The parameters are others now."""
    _plan.cache_clear()


def _fields(resource_type: str) -> Iterator[tuple[Place, str, list[Parameter]]]:
    """Each place with the parameters that read it in the same way."""
    found: dict[tuple[str, str], tuple[Place, list[Parameter]]] = {}
    for parameter in parameters(resource_type):
        for place in parameter.places:
            key = (place.path, _way(parameter))
            found.setdefault(key, (place, []))[1].append(parameter)
    for (_, way), (place, sharing) in found.items():
        yield place, way, sharing


def _way(parameter: Parameter) -> str:
    if parameter.components:
        return f"composite {pair_field('', parameter)}"
    return "phonetic" if parameter.name == "phonetic" else parameter.kind


def _take(resource_type: str, place: Place, way: str, sharing: list[Parameter]) -> Take | None:
    path = place.path
    if path in ("id", "meta.lastUpdated"):
        return None
    match way:
        case "token":
            return _token_take(resource_type, place)
        case "reference":
            return reference_take(resource_type, place, sharing)
        case "date":
            clinical = any(parameter.clinical for parameter in sharing)
            return lambda index, value: entries.take_date(
                index, path, clinical, place.many, value
            )
        case "number" | "quantity":
            read = spans.of_number if way == "number" else spans.of_quantity
            return lambda index, value: entries.take_spans(index, path, read(value))
        case "string" | "phonetic":
            return lambda index, value: entries.take_texts(
                index, path, way == "phonetic", value
            )
        case "uri":
            return lambda index, value: entries.take_uri(index, path, value)
    if not way.startswith("composite") or not path:
        return None
    return composite_take(resource_type, path, sharing[0])


def _token_take(resource_type: str, place: Place) -> Take:
    path = place.path
    match place.type:
        case "Identifier":
            return lambda index, value: entries.take_identifier(
                index, resource_type, path, value
            )
        case "ContactPoint":
            return lambda index, value: entries.take_contact(index, path, value)
        case "CodeableConcept" | "Coding":
            return lambda index, value: entries.take_concept(index, path, value)
        case "Extension":
            return lambda index, value: entries.take_inner(index, path, value)
    return lambda index, value: entries.take_plain(index, path, value)
