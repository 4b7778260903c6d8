"""Whatever is sent to an operation, the answer is a result or an outcome below 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from asking import put

from healthhub.serve.fhir.operations import OPERATIONS

LOCAL = [
    {"resourceType": "Patient", "id": "x", "name": [{"text": "陈试验"}]},
    {"resourceType": "CodeSystem", "id": "x", "status": "active", "content": "not-present"},
    {"resourceType": "ValueSet", "id": "x", "status": "active"},
    {
        "resourceType": "ConceptMap",
        "id": "x",
        "status": "active",
        "group": [{"element": [{"target": [{"equivalence": "equal"}]}]}],
    },
    {
        "resourceType": "Composition",
        "id": "x",
        "status": "final",
        "type": {"text": "x"},
        "date": "2026",
        "author": [{"display": "x"}],
        "title": "x",
    },
]
VALUES: list[dict[str, Any]] = [
    {"valueString": "x"},
    {"valueString": "\u0001"},
    {"valueUri": "http://loinc.org"},
    {"valueCode": "||"},
    {"valueInteger": -1},
    {"valueBoolean": True},
    {"valueDecimal": 1.5},
    {"valueCoding": {"system": 7, "code": []}},
    {"valueCoding": {}},
    {"valueCodeableConcept": {"coding": ["x", None]}},
    {"valueMeta": {"tag": [None]}},
    {"resource": {"resourceType": "Nothing"}},
    {"resource": {"resourceType": "ValueSet", "compose": {"include": [7]}}},
    {"resource": {"resourceType": "Patient", "name": "x"}},
    {"resource": {"resourceType": "CodeSystem", "url": "urn:x", "concept": [{}]}},
    {"resource": {"resourceType": "ConceptMap", "group": [{"element": [{"target": [7]}]}]}},
    {"part": [{"name": "x"}]},
]
GOOD: dict[str, dict[str, Any]] = {
    "code": {"valueCode": "a"},
    "system": {"valueUri": "http://hl7.org/fhir/administrative-gender"},
    "url": {"valueUri": "http://hl7.org/fhir/ValueSet/administrative-gender"},
    "codeA": {"valueCode": "male"},
    "codeB": {"valueCode": "female"},
    "id": {"valueUri": "x"},
}
"""Parameters that are right, beside which one is wrong: the operation then gets further."""


@pytest.fixture(scope="module")
def stocked(shared_hub: httpx.Client) -> httpx.Client:
    """A hub with the least of each type that an operation is about."""
    put(shared_hub, *LOCAL)
    return shared_hub


def paths() -> list[tuple[str, str]]:
    """Method and path of each operation at each of its places; POST where it may be either."""
    found: list[tuple[str, str]] = []
    for one in OPERATIONS:
        kind = "Patient" if one.type == "*" else one.type
        if one.of_type:
            found.append((one.type_methods[-1], f"/fhir/{kind}/${one.name}"))
        if one.of_one:
            found.append((one.one_methods[-1], f"/fhir/{kind}/x/${one.name}"))
    return found


def known(hub: httpx.Client, method: str, path: str) -> list[str]:
    """The parameters of an operation, as its refusal of another one lists them."""
    refused = hub.request(method, f"{path}?zzz=1").json()["issue"][0]["details"]["text"]
    return refused.partition("there are ")[2].split(", ")


@pytest.mark.parametrize(("method", "path"), paths())
def test_odd_parameters_get_an_answer(stocked: httpx.Client, method: str, path: str) -> None:
    assert method == "POST"
    names = [name for name in known(stocked, method, path) if name]
    for name in names:
        right = [
            {"name": other, **value}
            for other, value in GOOD.items()
            if other != name and other in names
        ]
        for value in VALUES:
            for beside in ([], right):
                body = {
                    "resourceType": "Parameters",
                    "parameter": [*beside, {"name": name, **value}],
                }
                answer = stocked.post(path, json=body)
                assert answer.status_code < 500, (name, value, answer.text)
                assert "resourceType" in answer.json()


@pytest.mark.parametrize("path", [path for _, path in paths()])
@pytest.mark.parametrize(
    "query", ["code=%00&url=%00", "url=|&code=|&system=|", "id=%2F..", "_count=0"]
)
def test_odd_addresses_get_an_answer(stocked: httpx.Client, path: str, query: str) -> None:
    answer = stocked.get(f"{path}?{query}")
    assert answer.status_code < 500
    assert "resourceType" in answer.json()
