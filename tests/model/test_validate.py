"""Only what is FHIR R4 (4.0.1) passes the check, and a refusal says where and what to do."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub.errors import Unprocessable
from healthhub.model.r4 import shape
from healthhub.model.validate import check

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"source": "urn:healthhub:source:test#1"},
    "status": "final",
    "_status": {"extension": [{"url": "http://example.org/x", "valueCode": "f"}]},
    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "血糖"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-01-02T03:04:05+08:00",
    "valueQuantity": {"value": Decimal("5.60"), "unit": "mmol/L"},
    "referenceRange": [{"low": {"value": 3}, "high": {"value": Decimal("6.1")}}],
    "contained": [{"resourceType": "Patient", "id": "p1", "gender": "female"}],
}
CONDITION: dict[str, Any] = {
    "resourceType": "Condition",
    "subject": {"reference": "Patient/p1"},
    "clinicalStatus": {"coding": [{"code": "active"}]},
}


def refusal(body: dict[str, Any]) -> Unprocessable:
    """The refusal of a body."""
    with pytest.raises(Unprocessable) as caught:
        check(body)
    return caught.value


def test_a_valid_resource_passes_and_is_left_as_it_was() -> None:
    before = copy.deepcopy(OBSERVATION)
    check(OBSERVATION)
    check(CONDITION)
    assert before == OBSERVATION


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"status": "done"}, "Observation.status"),
        ({"status": None}, "Observation.status"),
        ({"colour": "red"}, "Observation.colour"),
        ({"code": None}, "Observation.code"),
        ({"code": "血糖"}, "Observation.code"),
        ({"code": '{"text":"x"}'}, "Observation.code"),
        ({"code": {}}, "Observation.code"),
        ({"code": {"coding": {"code": "x"}}}, "Observation.code.coding"),
        ({"code": {"coding": [None]}}, "Observation.code.coding[0]"),
        ({"code": {"coding": []}}, "Observation.code.coding"),
        ({"code": {"text": ""}}, "Observation.code.text"),
        ({"code": {"text": "a\x00b"}}, "Observation.code.text"),
        ({"code": {"text": "a\ud800b"}}, "Observation.code.text"),
        ({"effectiveDateTime": "2026-13-01"}, "Observation.effectiveDateTime"),
        ({"effectiveDateTime": "2026/01/01"}, "Observation.effectiveDateTime"),
        ({"valueQuantity": {"value": "5.6"}}, "Observation.valueQuantity.value"),
        (
            {"valueQuantity": {"value": 1, "comparator": "!"}},
            "Observation.valueQuantity.comparator",
        ),
        ({"referenceRange": {"text": "x"}}, "Observation.referenceRange"),
        (
            {"referenceRange": [{"low": {"value": True}}]},
            "Observation.referenceRange[0].low.value",
        ),
        (
            {"contained": [{"resourceType": "Patient", "gender": "f"}]},
            "Observation.contained[0].gender",
        ),
        ({"contained": [{"resourceType": "Hospital"}]}, "Observation.contained[0]"),
        ({"subject": {"reference": "Patient/p1", "name": "x"}}, "Observation.subject.name"),
        ({"_code": {"id": "x"}}, "Observation._code"),
        ({"id": "not an id"}, "Observation.id"),
    ],
)
def test_each_fault_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    found = refusal({**OBSERVATION, **change})
    assert found.expression == place
    assert len(found.message) > 20


def test_a_value_may_be_there_by_its_extensions_alone() -> None:
    language = {
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
        "valueCode": "unknown",
    }
    body: dict[str, Any] = {
        "resourceType": "Basic",
        "code": {"text": "x"},
        "extension": [
            {"url": "http://example.org/x", "_valueString": {"extension": [language]}}
        ],
    }
    check(body)
    body["extension"][0]["_valueString"] = {"extension": [{"url": 7}]}
    with pytest.raises(Unprocessable) as refused:
        check(body)
    assert refused.value.expression.startswith("Basic.extension[0]._valueString")
    body["extension"][0] = {"url": "http://example.org/x", "_valueNonsense": {"id": "x"}}
    with pytest.raises(Unprocessable):
        check(body)


def test_two_values_of_one_choice_are_refused() -> None:
    assert "exactly one" in refusal({**OBSERVATION, "valueString": "x"}).message


def test_a_missing_required_element_is_refused() -> None:
    body = {name: value for name, value in OBSERVATION.items() if name != "code"}
    assert refusal(body).expression == "Observation.code"


@pytest.mark.parametrize("clinical", [{"text": "active"}, {"coding": [{"code": "on"}]}])
def test_a_concept_with_a_required_binding_needs_one_of_its_codes(clinical: Any) -> None:
    found = refusal({**CONDITION, "clinicalStatus": clinical})
    assert found.expression == "Condition.clinicalStatus"
    assert "active" in found.message


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resourceType": None},
        {"resourceType": ["Patient"]},
        {"resourceType": "Coding", "code": "x"},
        {"resourceType": "Resource"},
        {"resourceType": "../os"},
        # R4B has these, R4 has not:
        {"resourceType": "NutritionProduct", "status": "active"},
        {"resourceType": "Ingredient", "status": "active"},
        {"resourceType": "SubscriptionStatus", "type": "handshake"},
        {"resourceType": "Citation", "status": "active"},
    ],
)
def test_what_is_no_type_of_r4_is_refused(body: dict[str, Any]) -> None:
    assert refusal(body).expression == "resourceType"


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "PlanDefinition", "status": "active", "subjectCanonical": "http://x"},
        {
            "resourceType": "ActivityDefinition",
            "status": "active",
            "subjectCanonical": "http://x",
        },
    ],
)
def test_elements_that_r4b_added_are_refused(body: dict[str, Any]) -> None:
    assert refusal(body).expression == f"{body['resourceType']}.subjectCanonical"


def test_bodies_nested_without_end_are_refused() -> None:
    extension: dict[str, Any] = {"url": "http://x", "valueString": "x"}
    for _ in range(200):
        extension = {"url": "http://x", "extension": [extension]}
    assert "40 deep" in refusal({**CONDITION, "extension": [extension]}).message


def test_no_refusal_repeats_a_value_of_the_body() -> None:
    secret = "陈秘密"
    for change in (
        {"status": secret},
        {"effectiveDateTime": secret},
        {"subject": secret},
        {secret: 1},
    ):
        found = refusal({**OBSERVATION, **change})
        assert secret not in found.message
        assert secret not in (found.expression or "")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "coding", "code", "extension", "url", "value", "text", "resourceType"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(OBSERVATION)), JSON)
def test_any_json_is_accepted_or_refused_but_never_breaks_the_check(
    name: str, value: Any
) -> None:
    refused: int | None = None
    try:
        check({**OBSERVATION, name: value})
    except Unprocessable as error:
        refused = error.status
    assert refused in (None, 422)


def test_all_resource_types_of_r4_are_defined() -> None:
    assert {"Patient", "Observation", "Parameters", "Bundle"} <= shape.resources()
    assert len(shape.resources()) == 146
