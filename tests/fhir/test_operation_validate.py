"""$validate says what is wrong and where, for a type and for one resource, and never breaks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from asking import issues, parameters, put

from healthhub.model.profiles import apart

FINE = [("information", "informational", "")]
PATIENT: dict[str, Any] = {"resourceType": "Patient", "name": [{"text": "陈试验"}]}
PROFILE = {
    "resourceType": "StructureDefinition",
    "id": "named",
    "url": "http://hub.test/named",
    "name": "Named",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "differential": {
        "element": [
            {"id": "Patient", "path": "Patient"},
            {"id": "Patient.name", "path": "Patient.name", "min": 1},
            {
                "id": "Patient.maritalStatus",
                "path": "Patient.maritalStatus",
                "binding": {
                    "strength": "required",
                    "valueSet": "http://hl7.org/fhir/ValueSet/marital-status",
                },
            },
        ]
    },
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (PATIENT, FINE),
        (PATIENT | {"gender": "m"}, [("error", "structure", "Patient.gender")]),
        (PATIENT | {"colour": "red"}, [("error", "structure", "Patient.colour")]),
        (
            PATIENT | {"contact": [{"gender": "male"}]},
            [("error", "invariant", "Patient.contact[0]")],
        ),
        (
            PATIENT | {"birthDate": "soon", "deceasedDateTime": "later"},
            [
                ("error", "structure", "Patient.birthDate"),
                ("error", "structure", "Patient.deceasedDateTime"),
            ],
        ),
        (PATIENT | {"name": []}, [("error", "structure", "Patient.name")]),
        ({"resourceType": "Observation"}, [("error", "structure", "resourceType")]),
        ({"resourceType": 7}, [("error", "structure", "resourceType")]),
        ({}, [("error", "structure", "resourceType")]),
    ],
)
def test_a_resource_is_judged_bare_or_in_parameters(
    shared_hub: httpx.Client, body: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    bare = shared_hub.post("/fhir/Patient/$validate", json=body)
    packed = shared_hub.post("/fhir/Patient/$validate", json=parameters(("resource", "", body)))
    assert (bare.status_code, packed.status_code) == (200, 200)
    assert sorted(issues(bare)) == sorted(expected)
    assert sorted(issues(packed)) == sorted(expected)


def test_nothing_is_stored_by_validating(shared_hub: httpx.Client) -> None:
    shared_hub.post("/fhir/Patient/$validate", json=PATIENT | {"id": "not-kept"})
    assert shared_hub.get("/fhir/Patient/not-kept").status_code == 404


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, FINE),
        ({"name": [], "active": True}, [("error", "structure", "Patient.name")]),
        (
            {"maritalStatus": {"coding": [{"system": "urn:x", "code": "M"}]}},
            [("error", "code-invalid", "Patient.maritalStatus")],
        ),
        (
            {
                "maritalStatus": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                            "code": "M",
                        }
                    ]
                }
            },
            FINE,
        ),
    ],
)
def test_a_stored_profile_is_judged_when_it_is_named(
    shared_hub: httpx.Client, more: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    put(shared_hub, PROFILE)
    by_parameter = shared_hub.post(
        "/fhir/Patient/$validate",
        json=parameters(
            ("resource", "", PATIENT | more), ("profile", "Uri", "http://hub.test/named")
        ),
    )
    by_meta = shared_hub.post(
        "/fhir/Patient/$validate",
        json=PATIENT | more | {"meta": {"profile": ["http://hub.test/named"]}},
    )
    assert issues(by_parameter) == expected
    assert issues(by_meta) == expected


def test_an_absent_element_is_told_by_its_path(shared_hub: httpx.Client) -> None:
    put(shared_hub, PROFILE)
    answer = shared_hub.post(
        "/fhir/Patient/$validate?profile=http://hub.test/named",
        json={"resourceType": "Patient"},
    )
    assert issues(answer) == [("error", "required", "Patient.name")]
    assert answer.json()["issue"][0]["diagnostics"] == "http://hub.test/named"


def test_the_entries_of_a_bundle_are_held_to_the_profiles_they_claim(
    shared_hub: httpx.Client,
) -> None:
    put(shared_hub, PROFILE)
    claims = {"meta": {"profile": ["http://hub.test/named"]}}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": PATIENT | claims},
            {"resource": {"resourceType": "Patient", "active": True} | claims},
        ],
    }
    answer = shared_hub.post("/fhir/Bundle/$validate", json=bundle)
    assert issues(answer) == [("error", "required", "Bundle.entry[1].resource.name")]


def test_a_profile_that_is_not_here_is_an_error_and_not_a_pass(
    shared_hub: httpx.Client,
) -> None:
    answer = shared_hub.post("/fhir/Patient/$validate?profile=urn:none", json=PATIENT)
    assert issues(answer) == [("error", "not-found", "Patient.meta.profile")]
    core = "http://hl7.org/fhir/StructureDefinition/Patient"
    assert (
        issues(shared_hub.post(f"/fhir/Patient/$validate?profile={core}", json=PATIENT)) == FINE
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "expected"),
    [
        ("GET", "/p/$validate", None, 200, FINE),
        ("POST", "/p/$validate", None, 200, FINE),
        ("GET", "/none/$validate", None, 404, [("error", "not-found", "")]),
        ("POST", "/p/$validate?mode=update", PATIENT | {"id": "p"}, 200, FINE),
        (
            "POST",
            "/p/$validate?mode=update",
            PATIENT | {"id": "q"},
            200,
            [("error", "value", "Patient.id")],
        ),
        ("GET", "/p/$validate?mode=delete", None, 200, FINE),
        (
            "GET",
            "/none/$validate?mode=delete",
            None,
            200,
            [("error", "not-found", "Patient")],
        ),
        (
            "POST",
            "/p/$validate?mode=create",
            PATIENT | {"id": "p"},
            200,
            [("error", "business-rule", "Patient")],
        ),
        ("POST", "/$validate?mode=create", PATIENT, 200, FINE),
        (
            "POST",
            "/$validate?mode=update",
            PATIENT,
            200,
            [("error", "required", "Patient.id")],
        ),
        ("POST", "/$validate?mode=delete", PATIENT, 400, [("error", "invalid", "mode")]),
        ("POST", "/$validate?mode=maybe", PATIENT, 400, [("error", "invalid", "mode")]),
        ("POST", "/$validate", None, 400, [("error", "invalid", "resource")]),
        (
            "POST",
            "/$validate?colour=red",
            PATIENT,
            400,
            [("error", "not-supported", "colour")],
        ),
    ],
)
def test_modes_and_levels(
    shared_hub: httpx.Client,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    expected: list[tuple[str, str, str]],
) -> None:
    put(shared_hub, PATIENT | {"id": "p"})
    answer = shared_hub.request(method, f"/fhir/Patient{path}", json=body)
    assert answer.status_code == status, answer.text
    assert issues(answer) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"7",
        b'{"resourceType":"Parameters","parameter":7}',
        b'{"resourceType":"Parameters","parameter":[{}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"resource"}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"resource","valueString":"x"}]}',
        b'{"resourceType":"Patient","meta":7}',
        b'{"resourceType":"Patient","meta":{"profile":[7]}}',
        b'{"resourceType":"Patient","contained":[{"resourceType":"Nothing"}]}',
        b'{"resourceType":"Patient","extension":[{"extension":[{}]}]}',
    ],
)
def test_any_nonsense_gets_an_outcome(shared_hub: httpx.Client, content: bytes) -> None:
    answer = shared_hub.post(
        "/fhir/Patient/$validate",
        content=content,
        headers={"content-type": "application/fhir+json"},
    )
    assert answer.status_code in (200, 400), answer.text
    assert any(severity == "error" for severity, _, _ in issues(answer))


def test_constraints_of_a_stored_profile_are_judged_and_cannot_hold_the_hub_up(
    shared_hub: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def profile(key: str, expression: str) -> dict[str, Any]:
        constraint = {"key": key, "severity": "error", "human": key, "expression": expression}
        element = {"id": "Patient", "path": "Patient", "constraint": [constraint]}
        return PROFILE | {
            "id": key,
            "url": f"http://hub.test/{key}",
            "differential": {"element": [element]},
        }

    def judged(key: str) -> httpx.Response:
        return shared_hub.post(
            f"/fhir/Patient/$validate?profile=http://hub.test/{key}",
            json=PATIENT | {"gender": "male", "name": [{"text": "a" * 60 + "!"}]},
        )

    put(
        shared_hub,
        profile("good", "gender.exists()"),
        profile("bad", "birthDate.exists() and gender.exists()"),
        profile("odd", "gender.noSuch()"),
        profile("endless", "name.text.matches('(a+)+$')"),
    )
    assert issues(judged("good")) == FINE
    assert [code for _, code, _ in issues(judged("bad"))] == ["invariant"]
    assert [code for _, code, _ in issues(judged("odd"))] == ["not-supported"]
    monkeypatch.setattr(apart.Apart.__init__, "__defaults__", (3.0,))
    answer = judged("endless")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "too-costly")
    assert shared_hub.get("/fhir/metadata").status_code == 200
