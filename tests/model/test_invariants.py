"""Invariants of R4 are evaluated as the specification words them."""

from __future__ import annotations

from typing import Any

import pytest

from healthhub.model.r4 import invariants
from healthhub.store import wire

CODE = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": CODE}
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">%s</div>'


def broken(body: dict[str, Any]) -> set[tuple[str, str]]:
    """Key and place of each error."""
    return {
        (issue.rule, issue.place)
        for issue in invariants.check(body)
        if issue.severity == "error"
    }


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"valueString": "x"}, set()),
        (
            {"valueString": "x", "dataAbsentReason": {"text": "?"}},
            {("obs-6", "Observation")},
        ),
        (
            {"valueString": "x", "component": [{"code": CODE, "valueString": "y"}]},
            {("obs-7", "Observation")},
        ),
        (
            {"valueQuantity": {"value": 5, "code": "mmol/L"}},
            {("qty-3", "Observation.valueQuantity")},
        ),
        (
            {"effectivePeriod": {"start": "2026-02-01", "end": "2026-01-31"}},
            {("per-1", "Observation.effectivePeriod")},
        ),
        ({"effectivePeriod": {"start": "2026-02-01", "end": "2026-02-01"}}, set()),
        (
            {"valueRange": {"low": {"value": 2}, "high": {"value": 1}}},
            {("rng-2", "Observation.valueRange")},
        ),
        ({"subject": {"reference": "#p"}}, {("ref-1", "Observation.subject")}),
        (
            {"contained": [{"resourceType": "Patient", "id": "p"}]},
            {("dom-3", "Observation.contained[0]")},
        ),
        (
            {
                "contained": [{"resourceType": "Patient", "id": "p"}],
                "subject": {"reference": "#p"},
            },
            set(),
        ),
        (
            {
                "contained": [
                    {"resourceType": "Patient", "id": "p", "meta": {"versionId": "1"}}
                ],
                "subject": {"reference": "#p"},
            },
            {("dom-4", "Observation")},
        ),
        ({"text": {"status": "generated", "div": XHTML % "<p>血糖&nbsp;5</p>"}}, set()),
        (
            {"text": {"status": "generated", "div": XHTML % "<script>x</script>"}},
            {("txt-1", "Observation.text.div")},
        ),
        (
            {"text": {"status": "generated", "div": XHTML % '<p onclick="x">x</p>'}},
            {("txt-1", "Observation.text.div")},
        ),
        (
            {"text": {"status": "generated", "div": XHTML % " "}},
            {("txt-1", "Observation.text.div")},
        ),
        ({"text": {"status": "generated", "div": "<p>x"}}, {("txt-1", "Observation.text.div")}),
    ],
)
def test_an_observation_that_breaks_an_invariant_is_told_where(
    more: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert broken(OBSERVATION | more) == expected


def test_an_invariant_inside_a_bundle_names_its_entry() -> None:
    contact: dict[str, Any] = {"relationship": [{"text": "母亲"}]}
    body = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Patient", "contact": [contact]}}],
    }
    assert broken(body) == {("pat-1", "Bundle.entry[0].resource.contact[0]")}


def test_a_rule_that_two_types_number_alike_is_judged_for_each() -> None:
    task = {"resourceType": "Task", "status": "ready", "intent": "order"}
    assert broken(task | {"authoredOn": "2026-02-02", "lastModified": "2026-02-01"}) == {
        ("inv-1", "Task")
    }
    assert broken(task | {"authoredOn": "2026-02-01", "lastModified": "2026-02-02"}) == set()


def test_the_body_is_left_as_it_was() -> None:
    sent = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.60}}'
    body = wire.loads(sent)
    invariants.check(body)
    assert wire.dumps(body) == sent
