"""How tests ask operations: Parameters in, what they answer out."""

from __future__ import annotations

from typing import Any

import httpx

Body = dict[str, Any]


def parameters(*pairs: tuple[str, str, Any]) -> Body:
    """Parameters of (name, kind, value): ``("code", "Code", "a")``; kind "" for a resource."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name, f"value{kind}" if kind else "resource": value}
            for name, kind, value in pairs
        ],
    }


def said(answer: httpx.Response) -> dict[str, Any]:
    """The parameters of an answer by name; the last of those that repeat, parts as they are."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["resourceType"] == "Parameters"
    return {
        one["name"]: next(value for name, value in one.items() if name != "name")
        for one in body["parameter"]
    }


def issues(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Severity, code and first expression of each issue."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome", answer.text
    return [
        (one["severity"], one["code"], one.get("expression", [""])[0]) for one in body["issue"]
    ]


def put(hub: httpx.Client, *bodies: Body) -> None:
    """Store resources under their ids."""
    for body in bodies:
        answer = hub.put(f"/fhir/{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code in (200, 201), answer.text
