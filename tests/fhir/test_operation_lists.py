"""Code lists and their map by the terminology operations; maps that people make are among them."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from healthhub import keep
from healthhub.model.code_maps import Solved, Target

BASE = "https://healthhub.dev/fhir"
ICD, CLINICAL = f"{BASE}/CodeSystem/icd-10-insurance", f"{BASE}/CodeSystem/icd-10-clinical"


def values(body: dict[str, Any], name: str) -> list[Any]:
    return [
        next(v for k, v in each.items() if k.startswith("value"))
        for each in body["parameter"]
        if each["name"] == name
    ]


LOOKED_UP = [
    (ICD, "A01.000", "伤寒"),
    (f"{BASE}/CodeSystem/icd-9-cm-3-insurance", "00.1000", "化学治疗物质植入"),
    (f"{BASE}/CodeSystem/gb-2260", "429004", "仙桃市"),
    (f"{BASE}/CodeSystem/gb-2260", "420000", "湖北省"),
    (f"{BASE}/CodeSystem/gb-10114", "429004001000", "沙嘴街道"),
    ("http://loinc.org", "14933-6", "尿酸"),
]


@pytest.mark.parametrize(("system", "code", "display"), LOOKED_UP)
def test_a_code_of_a_list_is_looked_up(
    shared_hub: httpx.Client, system: str, code: str, display: str
) -> None:
    answer = shared_hub.get("/fhir/CodeSystem/$lookup", params={"system": system, "code": code})
    assert answer.status_code == 200, answer.text
    assert values(answer.json(), "display") == [display]


def test_what_a_list_lacks_is_told_and_a_fragment_says_that_it_is_one(
    shared_hub: httpx.Client,
) -> None:
    answer = shared_hub.get("/fhir/CodeSystem/$lookup", params={"system": ICD, "code": "Z99.Z"})
    assert answer.status_code == 404
    query = {"url": "http://loinc.org", "code": "1-8"}
    body = shared_hub.get("/fhir/CodeSystem/$validate-code", params=query).json()
    assert values(body, "result") == [False]
    assert "does not hold all" in values(body, "message")[0]


def test_an_expansion_filters_a_long_list(shared_hub: httpx.Client) -> None:
    definition = {
        "resourceType": "ValueSet",
        "status": "active",
        "compose": {"include": [{"system": ICD}]},
    }
    sent = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "valueSet", "resource": definition},
            {"name": "filter", "valueString": "伤寒复发"},
        ],
    }
    answer = shared_hub.post("/fhir/ValueSet/$expand", json=sent)
    assert answer.status_code == 200, answer.text
    assert [c["code"] for c in answer.json()["expansion"]["contains"]] == ["A01.000x004"]


MAPPED = [
    ("A01.000x002", "A01.003", "relatedto"),
    ("A00.000", "A00.000", "equivalent"),
]


@pytest.mark.parametrize(("code", "target", "how"), MAPPED)
def test_the_clinical_edition_is_mapped_to_that_of_insurance(
    shared_hub: httpx.Client, code: str, target: str, how: str
) -> None:
    query = {"system": CLINICAL, "code": code, "targetsystem": ICD}
    body = shared_hub.get("/fhir/ConceptMap/$translate", params=query).json()
    (match,) = [p["part"] for p in body["parameter"] if p["name"] == "match"]
    told = {part["name"]: part for part in match}
    assert told["equivalence"]["valueCode"] == how
    assert told["concept"]["valueCoding"]["code"] == target
    assert told["concept"]["valueCoding"]["display"]


def test_the_map_is_found_by_its_address_and_backwards(shared_hub: httpx.Client) -> None:
    query = {
        "url": f"{BASE}/ConceptMap/icd-10-clinical-insurance",
        "system": ICD,
        "code": "A01.003",
        "reverse": "true",
    }
    body = shared_hub.get("/fhir/ConceptMap/$translate", params=query).json()
    assert values(body, "result") == [True]
    assert "A01.000x002" in str(body)


def test_what_a_person_has_mapped_is_translated_at_once(
    shared_hub: httpx.Client, shared_database: str
) -> None:
    query = {
        "url": f"{BASE}/ConceptMap/hospital-a-tests",
        "system": "urn:healthhub:codes:hospital-a:tests",
        "code": "0399003",
    }
    body = shared_hub.get("/fhir/ConceptMap/$translate", params=query).json()
    assert values(body, "result") == [False]
    with psycopg.connect(shared_database) as conn:
        entry = Solved(0, "hospital-a", "tests", "0399003", Target("14933-6", "尿酸"))
        keep.code_maps.enter(conn, entry, who="a", why="a", messages=0, loose=str)
    body = shared_hub.get("/fhir/ConceptMap/$translate", params=query).json()
    assert values(body, "result") == [True]
    assert "14933-6" in str(body)
