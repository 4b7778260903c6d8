"""A resource meets a profile or is told where not; what cannot be judged is said."""

from __future__ import annotations

from typing import Any

import pytest

from healthhub.model import profiles

BASE = "http://hl7.org/fhir/StructureDefinition/"
KINDS = frozenset({("urn:kinds", "a"), ("urn:kinds", "b")})


def profile(*elements: dict[str, Any], of: str = "Patient", base: str = "") -> dict[str, Any]:
    """A StructureDefinition of a differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": "urn:profile",
        "type": of,
        "baseDefinition": base or BASE + of,
        "differential": {
            "element": [{"path": str(one["id"]).partition(":")[0], **one} for one in elements]
        },
    }


def issues(
    body: dict[str, Any], definition: dict[str, Any], **others: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """Severity, code and place of each issue."""
    known = profiles.Known(others.get, lambda url: KINDS if url == "urn:set" else None)
    return [(i.severity, i.code, i.place) for i in profiles.check(body, definition, known)]


PATIENT: dict[str, Any] = {"resourceType": "Patient"}
NUMBER = {"system": "urn:number", "value": "1"}
SLICED = profile(
    {
        "id": "Patient.identifier",
        "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"},
        "min": 1,
    },
    {"id": "Patient.identifier:number", "min": 1, "max": "1"},
    {"id": "Patient.identifier:number.system", "fixedUri": "urn:number"},
    {"id": "Patient.identifier:number.value", "min": 1, "maxLength": 3},
)
CLOSED = profile(
    {
        "id": "Patient.identifier",
        "slicing": {"discriminator": [{"type": "pattern", "path": "type"}], "rules": "closed"},
    },
    {
        "id": "Patient.identifier:number.type",
        "patternCodeableConcept": {"coding": [{"code": "NI"}]},
    },
)


@pytest.mark.parametrize(
    ("more", "rules", "expected"),
    [
        ({}, [{"id": "Patient.name", "min": 1}], [("error", "required", "Patient.name")]),
        ({"name": [{"text": "x"}]}, [{"id": "Patient.name", "min": 1}], []),
        (
            {"photo": [{"title": "x"}]},
            [{"id": "Patient.photo", "max": "0"}],
            [("error", "structure", "Patient.photo[0]")],
        ),
        (
            {"name": [{"text": "x"}, {"text": "y"}]},
            [{"id": "Patient.name", "max": "1"}],
            [("error", "structure", "Patient.name[1]")],
        ),
        (
            {"name": [{"family": "x"}]},
            [{"id": "Patient.name.text", "min": 1}],
            [("error", "required", "Patient.name[0].text")],
        ),
        ({}, [{"id": "Patient.name.text", "min": 1}], []),
        (
            {"active": False},
            [{"id": "Patient.active", "fixedBoolean": True}],
            [("error", "value", "Patient.active")],
        ),
        (
            {"deceasedBoolean": True},
            [{"id": "Patient.deceased[x]", "type": [{"code": "dateTime"}]}],
            [("error", "structure", "Patient.deceasedBoolean")],
        ),
        (
            {"_birthDate": {"extension": [{"url": "u", "valueCode": "unknown"}]}},
            [{"id": "Patient.birthDate", "min": 1}],
            [],
        ),
        (
            {"maritalStatus": {"coding": [{"system": "urn:kinds", "code": "c"}]}},
            [
                {
                    "id": "Patient.maritalStatus",
                    "binding": {"strength": "required", "valueSet": "urn:set"},
                }
            ],
            [("error", "code-invalid", "Patient.maritalStatus")],
        ),
        (
            {
                "maritalStatus": {
                    "coding": [{"code": "z"}, {"system": "urn:kinds", "code": "a"}]
                }
            },
            [
                {
                    "id": "Patient.maritalStatus",
                    "binding": {"strength": "required", "valueSet": "urn:set"},
                }
            ],
            [],
        ),
        (
            {"gender": "male"},
            [
                {
                    "id": "Patient.gender",
                    "binding": {"strength": "required", "valueSet": "urn:none"},
                }
            ],
            [("information", "not-supported", "Patient.gender")],
        ),
        (
            {"managingOrganization": {"reference": "Practitioner/1"}},
            [
                {
                    "id": "Patient.managingOrganization",
                    "type": [{"code": "Reference", "targetProfile": [BASE + "Organization"]}],
                }
            ],
            [("error", "structure", "Patient.managingOrganization")],
        ),
        (
            {"name": [{"text": "x"}]},
            [
                {
                    "id": "Patient.name",
                    "constraint": [
                        {
                            "key": "n-1",
                            "severity": "error",
                            "human": "a family name",
                            "expression": "family.exists()",
                        }
                    ],
                }
            ],
            [("error", "invariant", "Patient.name[0]")],
        ),
        (
            {},
            [
                {
                    "id": "Patient",
                    "constraint": [
                        {
                            "key": "p-1",
                            "severity": "error",
                            "human": "nonsense",
                            "expression": "nonsense(1)",
                        }
                    ],
                }
            ],
            [("information", "not-supported", "Patient")],
        ),
    ],
)
def test_each_kind_of_rule_is_judged(
    more: dict[str, Any], rules: list[dict[str, Any]], expected: list[tuple[str, str, str]]
) -> None:
    assert issues(PATIENT | more, profile(*rules)) == expected


@pytest.mark.parametrize(
    ("identifiers", "definition", "expected"),
    [
        ([NUMBER], SLICED, []),
        ([NUMBER, {"system": "urn:other", "value": "12345"}], SLICED, []),
        ([{"system": "urn:other"}], SLICED, [("error", "required", "Patient.identifier")]),
        ([NUMBER, NUMBER], SLICED, [("error", "structure", "Patient.identifier[1]")]),
        (
            [{"system": "urn:number"}],
            SLICED,
            [("error", "required", "Patient.identifier[0].value")],
        ),
        (
            [NUMBER | {"value": "1234"}],
            SLICED,
            [("error", "value", "Patient.identifier[0].value")],
        ),
        ([{"type": {"coding": [{"code": "NI", "system": "s"}]}}], CLOSED, []),
        (
            [{"type": {"coding": [{"code": "PI"}]}}],
            CLOSED,
            [("error", "structure", "Patient.identifier[0]")],
        ),
    ],
)
def test_slices_are_told_apart_by_their_discriminator(
    identifiers: list[Any], definition: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert issues(PATIENT | {"identifier": identifiers}, definition) == expected


def test_what_the_base_profile_says_counts_and_a_missing_base_is_told() -> None:
    child = profile({"id": "Patient.gender", "min": 1}, base="urn:parent")
    parent = profile({"id": "Patient.name", "min": 1})
    assert issues(PATIENT, child, **{"urn:parent": parent}) == [
        ("error", "required", "Patient.name"),
        ("error", "required", "Patient.gender"),
    ]
    assert ("warning", "not-found", "Patient") in issues(PATIENT, child)


def test_an_extension_is_judged_by_its_own_profile() -> None:
    outer = profile(
        {
            "id": "Patient.extension:group",
            "sliceName": "group",
            "max": "1",
            "type": [{"code": "Extension", "profile": ["urn:group"]}],
        }
    )
    inner = profile({"id": "Extension.value[x]", "min": 1}, of="Extension")
    body = PATIENT | {"extension": [{"url": "urn:group", "id": "x"}, {"url": "urn:other"}]}
    assert issues(body, outer, **{"urn:group": inner}) == [
        ("error", "required", "Patient.extension[0].value[x]")
    ]


def test_a_profile_of_another_type_is_refused() -> None:
    assert issues(PATIENT, profile(of="Observation")) == [("error", "structure", "Patient")]


def test_slices_without_a_discriminator_are_not_passed_over() -> None:
    vague = profile({"id": "Patient.contact:a", "min": 1})
    assert issues(PATIENT | {"contact": [{"name": {"text": "x"}}]}, vague) == [
        ("information", "not-supported", "Patient.contact")
    ]
