"""Searches answer Bundles with links, modes and pages; nothing is ignored."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from healthhub.access import holdings
from healthhub.model import validate


@pytest.fixture(scope="module")
def ward(shared_hub: httpx.Client) -> httpx.Client:
    """A hub with one patient, a visit and five results."""
    bodies: list[dict[str, Any]] = [
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [{"text": "陈试验"}],
            "gender": "female",
        },
        {
            "resourceType": "Encounter",
            "id": "e",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": "Patient/p"},
        },
        *(
            {
                "resourceType": "Observation",
                "id": f"o{number}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
                "subject": {"reference": "Patient/p"},
                "encounter": {"reference": "Encounter/e"},
                "effectiveDateTime": f"2026-01-0{number}",
            }
            for number in range(1, 6)
        ),
    ]
    for body in bodies:
        answer = shared_hub.put(f"/fhir/{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text
    return shared_hub


def entries(answer: httpx.Response) -> list[tuple[str, str]]:
    """Id and mode of each entry."""
    assert answer.status_code == 200, answer.text
    return [
        (entry["resource"]["id"], entry["search"]["mode"])
        for entry in answer.json().get("entry", [])
    ]


def test_pages_are_linked_and_give_each_match_once(ward: httpx.Client) -> None:
    seen: list[str] = []
    url: str | None = "/fhir/Observation?patient=p&_sort=-date&_count=2"
    while url is not None:
        answer = ward.get(url.replace("http://hub.test", ""))
        seen += [fhir_id for fhir_id, _ in entries(answer)]
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        assert links["self"].startswith("http://hub.test/fhir/Observation?patient=p")
        url = links.get("next")
    assert seen == ["o5", "o4", "o3", "o2", "o1"]


def test_post_search_takes_a_form_and_gives_the_same(ward: httpx.Client) -> None:
    by_get = ward.get("/fhir/Observation", params={"patient": "p", "code": "2345-7"})
    by_post = ward.post("/fhir/Observation/_search", data={"patient": "p", "code": "2345-7"})
    mixed = ward.post("/fhir/Observation/_search?patient=p", data={"date": "gt2026-01-03"})
    cut = ward.post("/fhir/Observation/_search", data={"code": "2345-7\0x"})
    assert cut.status_code == 400
    assert ward.get("/fhir/Observation?code=2345-7%00x").status_code == 400
    wrong = ward.post("/fhir/Observation/_search", json={"patient": "p"})
    assert sorted(entries(by_get)) == sorted(entries(by_post))
    assert len(entries(by_post)) == 5
    assert sorted(entries(mixed)) == [("o4", "match"), ("o5", "match")]
    assert wrong.status_code == 415


def test_includes_are_marked_and_not_counted(ward: httpx.Client) -> None:
    answer = ward.get("/fhir/Observation?_id=o1&_include=Observation:encounter")
    assert entries(answer) == [("o1", "match"), ("e", "include")]


def test_an_empty_result_is_a_bundle_without_entries(ward: httpx.Client) -> None:
    answer = ward.get("/fhir/Patient?gender=male")
    assert answer.status_code == 200
    assert "entry" not in answer.json()


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "patient:fuzzy=p",
        "_summary=all",
        "_elements=",
        "_has:x=1",
        "_count=many",
        "_sort=colour",
    ],
)
def test_what_is_not_known_is_an_error(ward: httpx.Client, query: str) -> None:
    answer = ward.get(f"/fhir/Observation?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "query",
    [
        "_id=%00",
        "name=%00",
        "identifier=|||",
        "identifier=%7C",
        "birthdate=ge",
        "_cursor=x",
        "_count=-1",
        "name=%F0%9F%98%80",
        "name=%ED%A0%80",
        "_lastUpdated=9999999",
        "_id=" + "a" * 5000,
        "link=a/b/c/d",
        "_sort=,",
        "=x",
        "&&",
    ],
)
def test_odd_queries_get_a_result_or_a_4xx(ward: httpx.Client, query: str) -> None:
    answer = ward.get(f"/fhir/Patient?{query}")
    assert answer.status_code in (200, 400), answer.text
    assert answer.json()["resourceType"] in ("Bundle", "OperationOutcome")


def test_the_capability_statement_is_valid_and_lists_what_search_takes(
    shared_hub: httpx.Client,
) -> None:
    body = shared_hub.get("/fhir/metadata").json()
    validate.check(body)
    assert body["fhirVersion"] == "4.0.1"
    offered = {entry["type"]: entry for entry in body["rest"][0]["resource"]}
    assert set(offered) == set(holdings.TYPES)
    for type_, entry in offered.items():
        names = [one["name"] for one in entry.get("searchParam", [])]
        assert names == [one.name for one in holdings.parameters(type_)]
    for name in ("identifier", "name", "birthdate", "gender", "phone"):
        assert name in {one["name"] for one in offered["Patient"]["searchParam"]}


def test_fifty_updates_at_once_with_if_match_let_one_win(hub: httpx.Client) -> None:
    body: dict[str, Any] = {"resourceType": "Patient", "id": "race", "active": True}
    assert hub.put("/fhir/Patient/race", json=body).status_code == 201
    codes: list[int] = []

    def change(number: int) -> None:
        changed = body | {"birthDate": f"19{number:02}-01-01"}
        answer = hub.put("/fhir/Patient/race", json=changed, headers={"if-match": 'W/"1"'})
        codes.append(answer.status_code)

    threads = [threading.Thread(target=change, args=(10 + n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [412] * 49


def test_fifty_creations_at_once_under_one_id_make_one_history(hub: httpx.Client) -> None:
    codes: list[int] = []

    def put(number: int) -> None:
        body = {"resourceType": "Patient", "id": "new", "birthDate": f"19{number:02}-01-01"}
        codes.append(hub.put("/fhir/Patient/new", json=body).status_code)

    threads = [threading.Thread(target=put, args=(10 + n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = [
        int(entry["response"]["etag"][3:-1])
        for entry in hub.get("/fhir/Patient/new/_history").json()["entry"]
    ]
    assert set(codes) <= {200, 201}
    assert codes.count(201) == 1
    assert versions == list(range(50, 0, -1))
