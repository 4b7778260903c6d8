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


def links(answer: httpx.Response) -> dict[str, str]:
    """The addresses of a page and the next, within this hub."""
    return {
        link["relation"]: "/fhir" + link["url"].split("/fhir", 1)[1]
        for link in answer.json()["link"]
    }


def test_the_addresses_of_a_form_s_pages_hold_none_of_its_values(ward: httpx.Client) -> None:
    form = {"patient": "p", "code": "http://loinc.org|2345-7", "_count": "2", "_sort": "_id"}
    first = ward.post("/fhir/Observation/_search", data=form)
    for url in links(first).values():
        assert "2345" not in url
        assert "patient" not in url
    assert found(first) == "o0 o1"
    assert found(ward.get(links(first)["self"])) == "o0 o1"
    second = ward.get(links(first)["next"])
    assert found(second) == "o2"
    assert list(links(second)) == ["self"]
    assert "2345" not in links(second)["self"]
    assert found(ward.get(links(second)["self"])) == "o2"


def test_a_kept_page_is_its_actors_alone_its_places_alone_and_ends(ward: httpx.Client) -> None:
    first = ward.post("/fhir/Observation/_search", data={"patient": "p", "_count": "1"})
    url = links(first)["self"]
    assert ward.get(url.replace("/Observation?", "/Encounter?")).status_code == 410
    assert ward.get(f"{url}&code=2345-7").status_code == 400
    answer = ward.get("/fhir/Observation?_page=nothing")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (410, ["_page"])
    long = ward.post("/fhir/Observation/_search", data={"code": "x" * 70_000})
    assert long.status_code == 413


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
