"""Builds, for each place that a search parameter reads, a resource that bears a value there alone."""

from __future__ import annotations

from typing import Any

from healthhub.model.r4 import shape
from healthhub.model.resource import Body
from healthhub.store.place import Place

WHEN = "2026-03-04"
UCUM = "http://unitsofmeasure.org"

SAMPLE: dict[str, Any] = {
    "Identifier": {"system": "urn:s", "value": "n-1"},
    "CodeableConcept": {"coding": [{"system": "urn:s", "code": "c"}], "text": "Some Words"},
    "Coding": {"system": "urn:s", "code": "c", "display": "Some words"},
    "ContactPoint": {"system": "phone", "value": "138 0000 1111"},
    "code": "c",
    "id": "c",
    "string": "c",
    "markdown": "c",
    "boolean": True,
    "uri": "http://x.test/a/b",
    "url": "http://x.test/a/b",
    "canonical": "http://x.test/a/b",
    "HumanName": {"text": "c"},
    "Address": {"text": "c"},
    "date": WHEN,
    "dateTime": WHEN,
    "instant": f"{WHEN}T00:00:00+08:00",
    "Period": {"start": WHEN, "end": WHEN},
    "Timing": {"event": [WHEN]},
    "integer": 7,
    "decimal": 7,
    "Range": {"low": {"value": 7, "unit": "mg"}, "high": {"value": 7, "unit": "mg"}},
    "Quantity": {"value": 7, "system": UCUM, "code": "mg"},
    "Age": {"value": 7, "system": UCUM, "code": "a"},
    "Duration": {"value": 7, "system": UCUM, "code": "min"},
    "Money": {"value": 7, "currency": "CNY"},
    "SampledData": {"origin": {"value": 7, "unit": "mg"}, "data": "0 0"},
}


def sample(kind: str, place: Place, targets: tuple[str, ...]) -> Any:
    """A value for a parameter's kind at a place."""
    if place.type == "Reference":
        return {"reference": f"{place.target or targets[0]}/r1"}
    if place.type == "Resource":
        return {"resourceType": targets[0], "id": "r1"}
    if place.type == "Extension":
        inner = {"string": "valueString", "token": "valueCode"}.get(kind)
        return {inner: "c"} if inner else {"valueReference": {"reference": f"{targets[0]}/r1"}}
    return SAMPLE[place.type]


def bearing(resource_type: str, kind: str, place: Place, targets: tuple[str, ...]) -> Body:
    """A resource with a value at this place and nowhere else."""
    value = sample(kind, place, targets)
    for step in reversed(place.steps):
        value = _step(step if isinstance(step, str) else step.text, value)
    return {"resourceType": resource_type, **value}


def _step(step: str, value: Any) -> Any:
    """The value one step further out."""
    if step.startswith("["):
        inner = step[1:-1]
        if inner.startswith("hasExtension "):
            return value | {"extension": [{"url": inner.removeprefix("hasExtension ")}]}
        if inner in shape.resources():
            return value | {"resourceType": inner}
        name, _, wanted = inner.partition("=")
        return value | {name: wanted}
    name, bracket, _ = step.partition("[")
    return {name: [value]} if bracket or name in ("coding", "given") else {name: value}
