"""Credentials over HTTP: no route is open, and each wrong credential is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from healthhub.access import Purpose, Role, accounts, clients
from healthhub.access.http import COOKIE
from healthhub.serve import fhir

OPEN = (
    "/health",
    "/signin",
    "/oauth/",
    "/fhir/.well-known/smart-configuration",
    "/static",
    "/assets",
    "/favicon.ico",
)
"""What may be seen without credentials: probes, where they are asked for, styles and scripts;
and where the credential is in the form or the address (test_introspection, test_launches)."""
PARAMETER = re.compile(r"\{[^}]*\}")


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of the application, with something in place of parameters."""

    def walk(found: list[BaseRoute], prefix: str) -> Iterator[tuple[str, str]]:
        for route in found:
            inner = getattr(route, "routes", None) or getattr(
                getattr(route, "original_router", None), "routes", None
            )
            if isinstance(route, Mount):
                yield from walk(list(route.routes or []), prefix + route.path)
            elif isinstance(route, Route):
                for method in sorted(route.methods or {"GET"}):
                    yield method, prefix + route.path
            elif inner:
                yield from walk(list(inner), prefix)

    yield from walk(list(app.router.routes), "")
    for path, method, _ in fhir.LINES:
        yield method, f"/fhir{path}"


def test_every_route_refuses_who_brings_no_credentials(
    app: FastAPI, anyone: httpx.Client
) -> None:
    """A form that is not ours gets 403 before anything else, a feed nobody declared 404."""
    tried = set()
    for method, path in routes(app):
        address = PARAMETER.sub("1", path.replace("{type}", "Patient"))
        if address.startswith(OPEN) or (method, path) == ("GET", "/launch"):
            continue
        answer = anyone.request(method, address, headers={"accept": "application/fhir+json"})
        tried.add((method, path))
        refusals = {401}
        if method == "POST" and not path.startswith("/fhir"):
            refusals |= {403, 404}
        if answer.status_code == 303 and not answer.content:
            address = answer.headers["location"]
            answer = anyone.get(address, headers={"accept": "application/fhir+json"})
        assert answer.status_code in refusals, f"{method} {path}: {answer.status_code}"
    assert ("GET", "/fhir/{type}/{id}") in tried
    assert ("GET", "/fhir/metadata") in tried
    assert ("POST", "/fhir/{type}/_search") in tried


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic d2FuZzp4"},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f"{COOKIE}="},
    ],
)
def test_a_wrong_credential_is_refused_with_a_challenge(
    anyone: httpx.Client, headers: dict[str, str]
) -> None:
    answer = anyone.get("/fhir/metadata", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["issue"][0]["code"] == "login"


def test_a_client_is_known_by_its_token_until_it_is_disabled(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    token = clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)
    other = clients.add(connection, "lis", [Role.SYSTEM], Purpose.TREAT)
    clients.disable(connection, "lis")
    connection.commit()
    stored = connection.execute("select string_agg(client::text, '') from client").fetchone()
    assert stored is not None
    assert token not in stored[0]
    good = anyone.get("/fhir/metadata", headers={"authorization": f"Bearer {token}"})
    bad = anyone.get("/fhir/metadata", headers={"authorization": f"Bearer {other}"})
    assert (good.status_code, bad.status_code) == (200, 401)


def test_a_purpose_must_be_known_and_is_never_assumed_for_a_person(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    token = clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)
    connection.commit()
    headers = {"authorization": f"Bearer {token}", "purpose-of-use": "CURIOSITY"}
    answer = anyone.get("/fhir/Patient/x", headers=headers)
    assert answer.status_code == 400
    assert "TREAT" in answer.json()["issue"][0]["details"]["text"]
    headers["purpose-of-use"] = "PUBHLTH"
    assert anyone.get("/fhir/Patient/x", headers=headers).status_code == 404
    purposes = connection.execute("select purpose from audit_event").fetchall()
    assert purposes == [("PUBHLTH",)]


def test_a_role_without_the_permission_gets_403(
    anyone: httpx.Client, connection: psycopg.Connection
) -> None:
    reader = clients.add(connection, "reader", [Role.CLINICIAN], Purpose.TREAT)
    connection.commit()
    headers = {"authorization": f"Bearer {reader}"}
    body = {"resourceType": "Patient"}
    answer = anyone.post("/fhir/Patient", json=body, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["issue"][0]["code"] == "forbidden"
    assert anyone.get("/fhir/Patient", headers=headers).status_code == 200
    assert connection.execute("select count(*) from resource").fetchone() == (0,)


def test_names_are_given_once(connection: psycopg.Connection) -> None:
    accounts.add(connection, "wang", "Ein-gutes-Wort-7", [Role.CLINICIAN])
    assert [account.name for account in accounts.listed(connection)] == ["wang"]
