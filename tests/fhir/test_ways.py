"""Addresses below /fhir: each leads to its interaction, whatever the others are called."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from healthhub.serve import fhir

LINES = (
    ("/metadata", "GET", "metadata"),
    ("/Patient/$match", "POST", "match"),
    ("/Patient/{id}/$everything", "GET", "everything"),
    ("/{type}/{id}/_history", "GET", "history"),
    ("/{kind}/{id}/{type}", "GET", "compartment"),
    ("/{type}/{id}", "GET", "read"),
    ("/{type}/{id}", "PUT", "update"),
    ("/{type}", "GET", "search"),
    ("", "POST", "bundle"),
)


def _named(name: str) -> fhir.Interaction:
    async def interaction(request: Request) -> Response:
        if request.path_params.get("id") == "fails":
            raise ValueError
        return JSONResponse([name, request.path_params])

    return interaction


async def _asked(method: str, path: str) -> bytes:
    ways = fhir.Ways(
        [(path, method, _named(name)) for path, method, name in LINES],
        _named("unknown"),
        lambda _, error: JSONResponse([type(error).__name__, {}]),
    )
    sent: list[bytes] = []

    async def send(message: dict) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> dict:
        raise AssertionError

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await ways(scope, receive, send)  # type: ignore[arg-type]
    return b"".join(sent)


@pytest.mark.parametrize(
    ("method", "path", "name", "params"),
    [
        ("GET", "/fhir/metadata", "metadata", {}),
        ("POST", "/fhir/metadata", "unknown", {"path": "metadata"}),
        ("POST", "/fhir/Patient/$match", "match", {}),
        ("GET", "/fhir/Patient/$match", "read", {"type": "Patient", "id": "$match"}),
        ("GET", "/fhir/Patient/a", "read", {"type": "Patient", "id": "a"}),
        ("HEAD", "/fhir/Patient/a", "read", {"type": "Patient", "id": "a"}),
        ("PUT", "/fhir/Patient/a", "update", {"type": "Patient", "id": "a"}),
        ("GET", "/fhir/Patient/a/$everything", "everything", {"id": "a"}),
        ("GET", "/fhir/Patient/a/_history", "history", {"type": "Patient", "id": "a"}),
        (
            "GET",
            "/fhir/Patient/a/Observation",
            "compartment",
            {"kind": "Patient", "id": "a", "type": "Observation"},
        ),
        ("GET", "/fhir/Patient", "search", {"type": "Patient"}),
        ("GET", "/fhir/Patient/", "unknown", {"path": "Patient/"}),
        ("GET", "/fhir/Patient//_history", "unknown", {"path": "Patient//_history"}),
        ("GET", "/fhir/a/b/c/d", "unknown", {"path": "a/b/c/d"}),
        ("POST", "/fhir", "bundle", {}),
        ("POST", "/fhir/", "bundle", {}),
        ("GET", "/fhir", "unknown", {"path": ""}),
        ("GET", "/fhir/Patient/fails", "ValueError", {}),
    ],
)
def test_an_address_leads_to_its_interaction(
    method: str, path: str, name: str, params: dict[str, str]
) -> None:
    assert asyncio.run(_asked(method, path)) == JSONResponse([name, params]).body


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/fhir", True),
        ("/fhir/", True),
        ("/fhir/Patient", True),
        ("/fhirx", False),
        ("/", False),
    ],
)
def test_the_service_takes_what_is_below_its_root(path: str, ours: bool) -> None:
    assert fhir.is_ours({"type": "http", "path": path}) is ours
