"""Whatever is sent, a validation answers with issues and never breaks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from healthhub.model import profiles, validate
from healthhub.model.r4 import invariants, shape

NAMES = sorted(
    {name for kind in ("Patient", "Observation", "Identifier", "Quantity", "Period", "Narrative",
                       "CodeableConcept", "Coding", "HumanName", "Extension", "Reference")
     for name in shape.elements(kind)} | {"resourceType", "_birthDate", "x", ""}
)  # fmt: skip
LEAVES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-5, 5),
    some.floats(allow_nan=False, allow_infinity=False),
    some.sampled_from(
        ["Patient", "Observation", "final", "2026-01-01", "#a", "<div>", "", "male"]
    ),
    some.text(max_size=8),
)
VALUES: some.SearchStrategy[Any] = some.recursive(
    LEAVES,
    lambda inner: some.one_of(
        some.lists(inner, max_size=3),
        some.dictionaries(some.sampled_from(NAMES), inner, max_size=5),
    ),
    max_leaves=20,
)
RULES = some.fixed_dictionaries(
    {
        "id": some.sampled_from(
            ["Patient", "Patient.name", "Patient.name:a", "Patient.identifier.system",
             "Patient.deceased[x]", "Patient.name:a.text", "Patient.extension:b"]
        )
    },
    optional={
        "min": some.integers(0, 3),
        "max": some.sampled_from(["0", "1", "*", "many", "-1"]),
        "fixedString": some.text(max_size=3),
        "patternCodeableConcept": some.just({"coding": [{"code": "a"}]}),
        "maxLength": some.integers(1, 3),
        "binding": some.just({"strength": "required", "valueSet": "urn:x"}),
        "slicing": some.sampled_from(
            [
                {"rules": "closed"},
                {"rules": "closed", "discriminator": [{"type": "value", "path": "text"}]},
                {"rules": "open", "discriminator": [{"type": "exists", "path": "family"}]},
                {"rules": "open", "discriminator": [{"type": "profile", "path": "resolve()"}]},
                {"rules": "open", "discriminator": [{"type": "type", "path": "$this"}]},
            ]
        ),
        "type": some.sampled_from(
            [[], [{"code": "string"}], [{"code": "Extension", "profile": ["urn:self"]}]]
        ),
        "constraint": some.lists(
            some.fixed_dictionaries(
                {
                    "key": some.just("k"),
                    "severity": some.just("error"),
                    "human": some.just("h"),
                    "expression": some.sampled_from(
                        ["name.exists()", "1/0", "((", "%nothing", "name = 1", "a.b.c", "true"]
                    ),
                }
            ),
            max_size=1,
        ),
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(some.dictionaries(some.sampled_from(NAMES), VALUES, max_size=6), some.booleans())
def test_any_body_is_judged(body: dict[str, Any], named: bool) -> None:
    if named:
        body = {**body, "resourceType": "Patient"}
    found = validate.issues(body)
    assert all(issue.text and issue.severity == "error" for issue in found)
    if not found:
        invariants.check(body)


@settings(max_examples=200, deadline=None)
@given(some.lists(RULES, max_size=6))
def test_any_profile_is_judged(rules: list[dict[str, Any]]) -> None:
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"text": "陈试验"}, {"family": "Chen"}],
        "identifier": [{"system": "urn:x", "value": "1"}],
        "extension": [{"url": "urn:e", "valueString": "x"}],
        "deceasedBoolean": False,
    }
    definition = {
        "url": "urn:self",
        "type": "Patient",
        "baseDefinition": "urn:self",
        "differential": {
            "element": [{"path": one["id"].replace(":a", ""), **one} for one in rules]
        },
    }
    known = profiles.Known(lambda _: definition, lambda _: None)
    for issue in profiles.check(body, definition, known):
        assert issue.text
        assert issue.place


@pytest.mark.parametrize("url", ["urn:self", ""])
def test_profiles_based_on_one_another_in_a_circle_end(url: str) -> None:
    definition = {
        "url": url,
        "type": "Patient",
        "baseDefinition": "urn:self",
        "differential": {},
    }
    known = profiles.Known(lambda _: definition, lambda _: None)
    assert profiles.check({"resourceType": "Patient"}, definition, known) == []
