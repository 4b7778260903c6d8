"""The shortcut and the router lead to the same: only what is plainly an interaction is taken."""

from __future__ import annotations

import pytest
from starlette.routing import Match

from healthhub.serve import fhir


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("GET", "/fhir/Patient/a.B-1", {"type": "Patient", "id": "a.B-1"}),
        ("HEAD", "/fhir/Patient/a", {"type": "Patient", "id": "a"}),
        ("POST", "/fhir/Patient", {"type": "Patient"}),
        ("GET", "/fhir/Patient", {"type": "Patient"}),
        ("DELETE", "/fhir/Patient", None),
        ("POST", "/fhir/Patient/a", None),
        ("GET", "/fhir/Patient/", None),
        ("GET", "/fhir/Patient/_history", None),
        ("GET", "/fhir/Patient/$export", None),
        ("GET", "/fhir/Patient/a/_history", None),
        ("GET", "/fhir/Patient/a_b", None),
        ("GET", "/fhir/Hospital/a", None),
        ("GET", "/fhir/metadata", None),
        ("GET", "/fhirPatient/a", None),
        ("GET", f"/fhir/Patient/{'a' * 65}", None),
    ],
)
def test_the_shortcut_takes_plain_interactions_alone(
    method: str, path: str, params: dict[str, str] | None
) -> None:
    match, scope = fhir.shortcut.matches({"type": "http", "method": method, "path": path})
    assert (match == Match.FULL) == (params is not None)
    assert scope.get("path_params") == params
