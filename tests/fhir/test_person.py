"""A golden patient stands for all the sources that know the person, in searches and as a whole."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import httpx
import psycopg
import pytest
from asking import parameters

from healthhub.identify.identity import check_character

STEM = "42010619800307001"
NUMBER = STEM + check_character(STEM)


def patient(fhir_id: str, name: str = "陈试验") -> dict[str, Any]:
    """A source's Patient."""
    return {
        "resourceType": "Patient",
        "id": fhir_id,
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": NUMBER}],
        "name": [{"text": name}],
        "birthDate": "1980-03-07",
    }


def observation(fhir_id: str, subject: str, day: str) -> dict[str, Any]:
    """A result of a Patient."""
    return {
        "resourceType": "Observation",
        "id": fhir_id,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "subject": {"reference": f"Patient/{subject}"},
        "performer": [{"reference": "Organization/org"}],
        "effectiveDateTime": day,
    }


@pytest.fixture(scope="module")
def golden(shared_hub: httpx.Client) -> str:
    """Two sources' Patients of one person with three results, and another person with one; the
    id of the golden Patient."""
    bodies = [
        {"resourceType": "Organization", "id": "org", "name": "江城医院"},
        patient("a"),
        patient("b"),
        {"resourceType": "Patient", "id": "x", "name": [{"text": "李别人"}]},
        observation("o1", "a", "2024-01-05"),
        observation("o2", "a", "2025-06-07T08:00:00+08:00"),
        observation("o3", "b", "2026-02-03"),
        observation("o9", "x", "2026-02-03"),
    ]
    for body in bodies:
        answer = shared_hub.put(f"/fhir/{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text
    found = shared_hub.get("/fhir/Patient", params={"identifier": NUMBER}).json()["entry"]
    (made,) = {entry["resource"]["id"] for entry in found} - {"a", "b"}
    return made


def ids(answer: httpx.Response, mode: str | None = None) -> list[str]:
    """The ids of a Bundle's resources."""
    assert answer.status_code == 200, answer.text
    return [
        entry["resource"]["id"]
        for entry in answer.json().get("entry", [])
        if mode is None or entry["search"]["mode"] == mode
    ]


def test_the_golden_patient_is_read_like_any_other(
    shared_hub: httpx.Client, golden: str
) -> None:
    body = shared_hub.get(f"/fhir/Patient/{golden}").json()
    assert body["meta"]["tag"][0]["code"] == "golden"
    references = {link["other"]["reference"] for link in body["link"]}
    assert references == {"Patient/a", "Patient/b"}


@pytest.mark.parametrize("name", ["patient", "subject"])
def test_a_search_on_the_golden_patient_covers_its_sources(
    shared_hub: httpx.Client, golden: str, name: str
) -> None:
    whole = shared_hub.get("/fhir/Observation", params={name: f"Patient/{golden}"})
    part = shared_hub.get("/fhir/Observation", params={name: "Patient/a"})
    assert sorted(ids(whole)) == ["o1", "o2", "o3"]
    assert sorted(ids(part)) == ["o1", "o2"]


def test_everything_of_the_golden_patient_is_the_whole_record(
    shared_hub: httpx.Client, golden: str
) -> None:
    answer = shared_hub.get(f"/fhir/Patient/{golden}/$everything")
    assert set(ids(answer, "match")) == {golden, "a", "b", "o1", "o2", "o3"}
    assert ids(answer, "include") == ["org"]
    assert answer.json()["type"] == "searchset"
    first = answer.json()["entry"][0]
    assert first["fullUrl"].startswith("http://hub.test/fhir/Patient/")


def test_everything_of_a_source_patient_is_its_own(
    shared_hub: httpx.Client, golden: str
) -> None:
    answer = shared_hub.get("/fhir/Patient/b/$everything")
    assert set(ids(answer, "match")) == {"b", "o3"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=2025", {"o2", "o3"}),
        ("end=2025-05", {"o1"}),
        ("end=2025-06", {"o1", "o2"}),
        ("end=2025-06-07", {"o1", "o2"}),
        ("start=2025-06-07&end=2025-06-07", {"o2"}),
        ("_type=Observation", {"o1", "o2", "o3"}),
        ("_type=Condition,Encounter", set()),
        ("_since=2099-01-01T00:00:00Z", set()),
        ("_since=2020-01-01T00:00:00%2B08:00", {"o1", "o2", "o3"}),
        ("_since=2020-01-01T00:00:00+08:00", {"o1", "o2", "o3"}),
    ],
)
def test_everything_keeps_to_dates_types_and_since(
    shared_hub: httpx.Client, golden: str, query: str, expected: set[str]
) -> None:
    found = set(ids(shared_hub.get(f"/fhir/Patient/{golden}/$everything?{query}"), "match"))
    assert {one for one in found if one.startswith("o")} == expected


def test_everything_takes_its_parameters_by_post_and_pages_on_by_get(
    shared_hub: httpx.Client, golden: str
) -> None:
    sent = parameters(
        ("start", "Date", "2025"), ("_type", "Code", "Observation"), ("_count", "Integer", 1)
    )
    answer = shared_hub.post(f"/fhir/Patient/{golden}/$everything", json=sent)
    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    rest = shared_hub.get(links["next"].replace("http://hub.test", ""))
    assert sorted(ids(answer, "match") + ids(rest, "match")) == ["o2", "o3"]


@pytest.mark.parametrize(
    "query", ["start=soon", "_since=2026-01-01", "_type=Hospital", "_count=0"]
)
def test_everything_refuses_what_it_cannot_read(
    shared_hub: httpx.Client, golden: str, query: str
) -> None:
    answer = shared_hub.get(f"/fhir/Patient/{golden}/$everything?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == [query.partition("=")[0]]


def test_everything_is_paged_by_count_without_gap_or_repeat(
    shared_hub: httpx.Client, golden: str
) -> None:
    seen: list[str] = []
    url: str | None = f"/fhir/Patient/{golden}/$everything?_count=2"
    pages = 0
    while url is not None:
        answer = shared_hub.get(url.replace("http://hub.test", ""))
        seen += ids(answer, "match")
        pages += 1
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        url = links.get("next")
    assert pages == 3
    assert sorted(seen) == sorted({golden, "a", "b", "o1", "o2", "o3"})


def test_a_record_larger_than_a_chunk_is_streamed_whole(
    shared_hub: httpx.Client, golden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shared_hub.get(f"/fhir/Patient/{golden}/$everything").json()
    monkeypatch.setattr(import_module("healthhub.serve.fhir.operations.everything"), "CHUNK", 2)
    streamed = shared_hub.get(f"/fhir/Patient/{golden}/$everything")
    assert "content-length" not in streamed.headers
    assert sorted(ids(streamed)) == sorted(entry["resource"]["id"] for entry in whole["entry"])


def test_the_audit_names_every_patient_whose_data_was_shown(
    shared_hub: httpx.Client, golden: str, shared_database: str
) -> None:
    shared_hub.get(f"/fhir/Patient/{golden}/$everything?_type=Patient,Observation")
    with psycopg.connect(shared_database) as connection:
        row = connection.execute(
            "select array_length(patients, 1) from audit_event where query = '$everything'"
            " and outcome = 'done' order by id desc limit 1"
        ).fetchone()
    assert row == (3,)
