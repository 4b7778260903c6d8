"""Patient/$match answers persons with grade and score, one entry each."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from asking import Body, parameters, put
from test_person import NUMBER, patient

from healthhub.model import validate

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
NAMED: Body = {
    "resourceType": "Patient",
    "name": [{"text": "陈试验"}],
    "birthDate": "1980-03-07",
}


@pytest.fixture(scope="module")
def people(shared_hub: httpx.Client) -> httpx.Client:
    """A person of two sources, a namesake born on the same day, and a stranger."""
    put(
        shared_hub,
        patient("a"),
        patient("b"),
        NAMED | {"id": "namesake", "gender": "male"},
        {
            "resourceType": "Patient",
            "id": "x",
            "name": [{"text": "李别人"}],
            "birthDate": "1980-03-07",
        },
    )
    return shared_hub


def asked(hub: httpx.Client, body: Body, **more: Any) -> list[tuple[str, str]]:
    """Id and grade of each entry; the golden Patient's id as "golden"."""
    pairs = [("resource", "", body)]
    pairs += [("count", "Integer", more["count"])] if "count" in more else []
    pairs += [("onlyCertainMatches", "Boolean", True)] if more.get("certain") else []
    answer = hub.post("/fhir/Patient/$match", json=parameters(*pairs))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    validate.check(found)
    assert found["type"] == "searchset"
    entries = found.get("entry", [])
    scores = [one["search"]["score"] for one in entries]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    return [
        (
            "golden" if "link" in one["resource"] else one["resource"]["id"],
            next(e["valueCode"] for e in one["search"]["extension"] if e["url"] == GRADE),
        )
        for one in entries
    ]


def test_one_person_of_two_sources_is_one_entry(people: httpx.Client) -> None:
    found = asked(people, patient("new"))
    assert found == [("golden", "certain"), ("namesake", "possible")]


def test_without_a_number_nobody_is_certain(people: httpx.Client) -> None:
    assert dict(asked(people, NAMED | {"gender": "male"})) == {
        "golden": "possible",
        "namesake": "probable",
    }
    assert asked(people, NAMED, certain=True) == []


def test_only_certain_matches_and_count(people: httpx.Client) -> None:
    assert asked(people, patient("new"), certain=True) == [("golden", "certain")]
    assert asked(people, patient("new"), count=1) == [("golden", "certain")]
    assert asked(people, patient("new"), count=0) == []


def test_a_bare_patient_may_be_sent_without_parameters(people: httpx.Client) -> None:
    answer = people.post("/fhir/Patient/$match", json=patient("new"))
    assert answer.json()["total"] == 2
    assert NUMBER in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"resourceType": "Patient"}, 422),
        ({"resourceType": "Patient", "name": [{"text": "陈试验"}]}, 422),
        ({"resourceType": "Patient", "gender": "m"}, 422),
        ({"resourceType": "Person"}, 400),
        (parameters(("onlyCertainMatches", "Boolean", True)), 400),
        (parameters(("resource", "", NAMED), ("count", "String", "many")), 400),
    ],
)
def test_what_tells_nobody_apart_is_refused(
    people: httpx.Client, body: Body, status: int
) -> None:
    assert people.post("/fhir/Patient/$match", json=body).status_code == status


def test_matching_needs_the_right_to_search(people: httpx.Client) -> None:
    answer = people.post(
        "/fhir/Patient/$match", json=NAMED, headers={"authorization": "Bearer wrong"}
    )
    assert answer.status_code == 401
