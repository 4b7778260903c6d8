"""$document makes a document Bundle; $meta, $meta-add and $meta-delete change labels alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from asking import issues, parameters, put, said

from healthhub.model import validate
from healthhub.model.r4 import invariants

TAG = {"system": "urn:tags", "code": "a"}


@pytest.fixture
def ward(hub: httpx.Client) -> httpx.Client:
    """A hub with a discharge summary and what it refers to."""
    patient = {"reference": "Patient/p"}
    put(
        hub,
        {"resourceType": "Organization", "id": "org", "name": "江城医院"},
        {"resourceType": "Patient", "id": "p", "name": [{"text": "陈试验"}]},
        {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "code": {"text": "血糖"},
            "subject": patient,
            "performer": [{"reference": "Organization/org"}],
        },
        {
            "resourceType": "Composition",
            "id": "c",
            "status": "final",
            "type": {"text": "出院小结"},
            "subject": patient,
            "date": "2026-03-01",
            "author": [{"reference": "Organization/org"}],
            "title": "出院小结",
            "relatesTo": [
                {"code": "replaces", "targetReference": {"reference": "Composition/old"}}
            ],
            "section": [{"title": "检验", "entry": [{"reference": "Observation/o"}]}],
        },
    )
    return hub


def names(body: dict[str, Any]) -> list[str]:
    """The local addresses of a Bundle's entries."""
    return [one["fullUrl"].removeprefix("http://hub.test/fhir/") for one in body["entry"]]


@pytest.mark.parametrize(
    "path", ["/fhir/Composition/c/$document", "/fhir/Composition/$document?id=c"]
)
def test_a_document_begins_with_its_composition_and_holds_what_it_refers_to(
    ward: httpx.Client, path: str
) -> None:
    answer = ward.get(path)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["type"], names(body)[0]) == ("document", "Composition/c")
    assert sorted(names(body)) == [
        "Composition/c",
        "Observation/o",
        "Organization/org",
        "Patient/p",
    ]
    assert body["identifier"]["value"].startswith("urn:uuid:")
    validate.check(body)
    assert [one for one in invariants.check(body) if one.severity == "error"] == []


def test_a_document_that_persists_can_be_read_again(ward: httpx.Client) -> None:
    answer = ward.post(
        "/fhir/Composition/c/$document", json=parameters(("persist", "Boolean", True))
    )
    stored = ward.get(f"/fhir/Bundle/{answer.json()['id']}").json()
    assert stored["identifier"] == answer.json()["identifier"]
    assert answer.headers["location"].endswith(f"/Bundle/{stored['id']}/_history/1")


def test_a_document_without_what_it_refers_to_is_refused(ward: httpx.Client) -> None:
    ward.delete("/fhir/Observation/o")
    answer = ward.get("/fhir/Composition/c/$document")
    assert answer.status_code == 422
    assert issues(answer) == [("error", "processing", "Composition.section[0].entry[0]")]


def test_labels_are_added_once_and_taken_out(ward: httpx.Client) -> None:
    more = parameters(("meta", "Meta", {"tag": [TAG], "profile": ["urn:profile"]}))
    less = parameters(("meta", "Meta", {"tag": [TAG | {"display": "other words"}]}))
    added = said(ward.post("/fhir/Patient/p/$meta-add", json=more))["return"]
    again = said(ward.post("/fhir/Patient/p/$meta-add", json=more))["return"]
    assert (added["tag"], added["profile"]) == ([TAG], ["urn:profile"])
    assert again == added
    assert said(ward.get("/fhir/Patient/p/$meta"))["return"] == added
    left = said(ward.post("/fhir/Patient/p/$meta-delete", json=less))["return"]
    assert "tag" not in left
    assert left["profile"] == ["urn:profile"]
    assert ward.get("/fhir/Patient/p").json()["name"] == [{"text": "陈试验"}]
    assert ward.get("/fhir/Patient/p").json()["meta"]["versionId"] == "3"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (parameters(), 400),
        (parameters(("meta", "String", "x")), 400),
        (parameters(("meta", "Meta", {"versionId": "9"})), 400),
        (parameters(("meta", "Meta", {"tag": "x"})), 422),
        (parameters(("other", "Meta", {"tag": [TAG]})), 400),
    ],
)
def test_labels_that_are_none_are_refused(
    ward: httpx.Client, body: dict[str, Any], status: int
) -> None:
    assert ward.post("/fhir/Patient/p/$meta-add", json=body).status_code == status


def test_what_is_offered_is_listed_with_its_definition(ward: httpx.Client) -> None:
    statement = ward.get("/fhir/metadata").json()
    listed = {
        (resource["type"], one["name"]): one["definition"]
        for resource in statement["rest"][0]["resource"]
        for one in resource["operation"]
    }
    core = "http://hl7.org/fhir/OperationDefinition/"
    assert listed["Patient", "everything"] == core + "Patient-everything"
    assert listed["ValueSet", "expand"] == core + "ValueSet-expand"
    assert listed["Observation", "validate"] == core + "Resource-validate"
    assert ("Observation", "expand") not in listed
    assert ward.get("/fhir/Observation/o/$expand").status_code == 404
