"""What operations answer: Parameters and OperationOutcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from healthhub.access import holdings
from healthhub.model.issue import Issue
from healthhub.model.resource import Body


def parameters(pairs: Iterable[Body]) -> bytes:
    """A Parameters resource of ready parameters."""
    return holdings.dumps({"resourceType": "Parameters", "parameter": list(pairs)})


def parameter(name: str, kind: str, value: object) -> Body:
    """One parameter: ``parameter("result", "Boolean", True)``."""
    return {"name": name, f"value{kind}": value}


def outcome(issues: Sequence[Issue], fine: str) -> bytes:
    """The issues as an OperationOutcome; ``fine`` is said when there are none."""
    told = [_issue(one) for one in issues] or [
        {"severity": "information", "code": "informational", "details": {"text": fine}}
    ]
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": told})


def _issue(one: Issue) -> Body:
    made: Body = {
        "severity": one.severity,
        "code": one.code,
        "details": {"text": one.text},
        "expression": [one.place],
    }
    if one.rule:
        made["diagnostics"] = one.rule
    return made
