"""The ways to search: within a compartment, over all types, by form, strict or lenient."""

from __future__ import annotations

import httpx
import pytest

BODIES = [
    {"resourceType": "Patient", "id": "p", "gender": "female"},
    {"resourceType": "Practitioner", "id": "d", "name": [{"family": "House"}]},
    {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"},
        "participant": [{"individual": {"reference": "Practitioner/d"}}],
    },
    *(
        {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final" if number else "preliminary",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            "subject": {"reference": "Patient/p"},
            "encounter": {"reference": "Encounter/e"},
            "valueQuantity": {
                "value": number,
                "code": "mg",
                "system": "http://unitsofmeasure.org",
            },
        }
        for number in range(3)
    ),
]


@pytest.fixture(scope="module")
def ward(shared_hub: httpx.Client) -> httpx.Client:
    """A hub with a patient, a doctor, a visit and three results."""
    for body in BODIES:
        answer = shared_hub.put(f"/fhir/{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text
    return shared_hub


def found(answer: httpx.Response) -> str:
    """The ids in a searchset, includes last, outcomes left out."""
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    return " ".join(
        entry["resource"]["id"] for entry in entries if entry["search"]["mode"] != "outcome"
    )


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("Patient/p/Observation?status=final&_sort=_id", {"o1", "o2"}),
        ("Patient/p/Encounter", {"e"}),
        ("Encounter/e/Observation", {"o0", "o1", "o2"}),
        ("Practitioner/d/Encounter", {"e"}),
        ("Patient/nobody/Observation", set()),
        ("?_type=Patient,Practitioner", {"p", "d"}),
        ("?_id=p,e", {"p", "e"}),
        ("Observation?value-quantity=gt0.0005|http://unitsofmeasure.org|g", {"o1", "o2"}),
        ("Patient?_has:Encounter:patient:practitioner.family=house", {"p"}),
    ],
)
def test_each_way_finds(ward: httpx.Client, path: str, ids: set[str]) -> None:
    # Half a milligram is 0.0005 g: only o1 and o2 are above it.
    assert (
        set(found(ward.get(f"/fhir/{path}" if path[0] != "?" else f"/fhir{path}")).split())
        == ids
    )


def test_a_compartments_pages_stay_in_it(ward: httpx.Client) -> None:
    answer = ward.get("/fhir/Patient/p/Observation?_count=2")
    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    assert links["next"].startswith(
        "http://hub.test/fhir/Patient/p/Observation?_count=2&_cursor="
    )
    rest = ward.get(links["next"].removeprefix("http://hub.test"))
    assert len(found(answer).split() + found(rest).split()) == 3


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Nurse/p/Observation", 404),
        ("Organization/p/Observation", 404),
        ("Patient/p/Organization", 400),
        ("Patient/p/*", 400),
        ("Patient/p/Nurse", 404),
        ("Patient/p_/Observation", 400),
        ("", 400),
        ("?_type=Nurse", 400),
        ("Patient?@compartment=Patient/p", 400),
    ],
)
def test_what_is_no_way_is_told(ward: httpx.Client, path: str, status: int) -> None:
    answer = ward.get(f"/fhir/{path}")
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_forms_search_within_and_over_all(ward: httpx.Client) -> None:
    within = ward.post("/fhir/Patient/p/Observation/_search", data={"status": "preliminary"})
    over = ward.post("/fhir/_search", data={"_type": "Patient"})
    assert (found(within), found(over)) == ("o0", "p")


def test_counts_alone(ward: httpx.Client) -> None:
    for query in ("_summary=count", "_count=0", "_count=0&_total=accurate"):
        body = ward.get(f"/fhir/Observation?{query}").json()
        assert body["total"] == 3, query
        assert "entry" not in body


def test_lenient_leaves_out_what_is_not_known_and_says_so(ward: httpx.Client) -> None:
    path = "/fhir/Observation?colour=red&status=preliminary&code:fuzzy=x"
    assert ward.get(path).status_code == 400
    assert ward.get(path, headers={"prefer": "handling=strict"}).status_code == 400
    assert ward.get(path, headers={"prefer": "handling=mild"}).status_code == 400
    answer = ward.get(path, headers={"prefer": "handling=lenient"})
    assert found(answer) == "o0"
    outcome = answer.json()["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    assert len(outcome["resource"]["issue"]) == 2
    links = {link["relation"]: link["url"] for link in answer.json()["link"]}
    assert links["self"] == "http://hub.test/fhir/Observation?status=preliminary"
    wrong = ward.get("/fhir/Observation?_count=many", headers={"prefer": "handling=lenient"})
    assert wrong.status_code == 400


def test_the_statement_names_each_parameters_definition(ward: httpx.Client) -> None:
    rest = ward.get("/fhir/metadata").json()["rest"][0]
    types = {entry["type"]: entry for entry in rest["resource"]}
    named = {one["name"]: one for one in types["Observation"]["searchParam"]}
    assert named["combo-code"] == {
        "name": "combo-code",
        "type": "token",
        "definition": "http://hl7.org/fhir/SearchParameter/Observation-combo-code",
    }
    assert "Observation:encounter" in types["Observation"]["searchInclude"]
    assert "Provenance:target" in types["Observation"]["searchRevInclude"]
    assert "near" not in {one["name"] for one in types["Location"]["searchParam"]}
