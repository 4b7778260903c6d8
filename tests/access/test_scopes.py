"""Scopes bound what a client may do, whatever its role: what is asked, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from serving import answering, copied
from signing import elliptic, register, token

from healthhub.access import Purpose, Role, clients, scopes
from healthhub.errors import InvalidRequest
from healthhub.main import build_app
from healthhub.settings import Settings

SIGNER = elliptic()
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"text": "张试验"}],
    "birthDate": "1980-03-07",
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": {"text": "血糖"},
    "subject": {"reference": "Patient/p"},
}


@pytest.fixture(scope="module")
def hub(server_dsn: str, template: str) -> Iterator[httpx.Client]:
    """A hub with a patient and a result, and a program that may ask for any scope."""
    with (
        copied(server_dsn, template) as database,
        answering(build_app(Settings(), database)) as client,
    ):
        with psycopg.connect(database) as connection:
            full = clients.add(connection, "loader", [Role.SYSTEM], Purpose.TREAT)
            register(connection, "app", "system/*.cruds", SIGNER)
        headers = {"authorization": f"Bearer {full}"}
        for body in (PATIENT, OBSERVATION):
            put = client.put(
                f"/fhir/{body['resourceType']}/{body['id']}", json=body, headers=headers
            )
            assert put.status_code == 201, put.text
        yield client


def call(hub: httpx.Client, scope: str, method: str, path: str, body: Any = None) -> Any:
    """A request with a token of these scopes."""
    headers = {"authorization": f"Bearer {token(hub, SIGNER, 'app', scope)}"}
    return hub.request(method, f"/fhir{path}", json=body, headers=headers)


def bundle(kind: str, *entries: tuple[str, str, Any]) -> dict[str, Any]:
    """A batch or transaction of (method, url, resource)."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"request": {"method": method, "url": url}} | ({"resource": body} if body else {})
            for method, url, body in entries
        ],
    }


SOUGHT = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "resource", "resource": {k: PATIENT[k] for k in PATIENT if k != "id"}}
    ],
}
BASIC = {"resourceType": "Basic", "code": {"text": "x"}}
NAMED = BASIC | {"id": "b"}
HOOK = {
    "resourceType": "Subscription",
    "status": "requested",
    "reason": "r",
    "criteria": "Observation",
    "channel": {"type": "rest-hook", "endpoint": "https://x.example/y"},
}


@pytest.mark.parametrize(
    ("scope", "method", "path", "body", "status"),
    [
        ("system/Patient.r", "GET", "/Patient/p", None, 200),
        ("system/Patient.r", "GET", "/Patient/p/_history", None, 200),
        ("system/Patient.r", "GET", "/Patient/p/_history/1", None, 200),
        ("system/Patient.s", "GET", "/Patient/p", None, 403),
        ("system/Patient.s", "GET", "/Patient?name=张试验", None, 200),
        ("system/Patient.r", "GET", "/Patient?name=张试验", None, 403),
        ("system/Patient.r", "GET", "/Patient?_summary=count", None, 403),
        ("system/Patient.rs", "GET", "/Observation/o", None, 403),
        ("system/Patient.rs", "GET", "/Observation?_summary=count", None, 403),
        ("system/Patient.read", "GET", "/Patient?name=张试验", None, 200),
        ("system/Patient.rs", "GET", "/Patient/p/Observation", None, 403),
        ("system/Patient.rs", "GET", "/?_type=Patient,Observation", None, 403),
        ("system/Patient.rs", "GET", "/_history", None, 403),
        ("system/*.rs", "GET", "/_history", None, 200),
        ("system/*.rs", "GET", "/?_type=Patient,Observation&_id=p", None, 200),
        ("system/Observation.rs", "GET", "/Observation?subject:Patient.name=张", None, 403),
        ("system/*.rs", "GET", "/Observation?subject:Patient.name=张", None, 200),
        (
            "system/Patient.rs",
            "GET",
            "/Patient?_has:Observation:subject:status=final",
            None,
            403,
        ),
        ("system/Patient.rs", "GET", "/Patient?_list=x", None, 403),
        ("system/Patient.r", "POST", "/Patient/$match", SOUGHT, 403),
        ("system/Basic.c", "POST", "/Basic", BASIC, 201),
        ("system/Basic.ruds", "POST", "/Basic", BASIC, 403),
        ("system/Basic.u", "PUT", "/Basic/b", NAMED, 201),
        ("system/Basic.crds", "PUT", "/Basic/b", NAMED, 403),
        ("system/Basic.d", "DELETE", "/Basic/gone", None, 204),
        ("system/Basic.crus", "DELETE", "/Basic/gone", None, 403),
        ("system/Basic.us", "PUT", "/Basic?identifier=s|v", BASIC, 403),
        ("system/Basic.cu", "PUT", "/Basic?identifier=s|v", BASIC, 403),
        ("system/Basic.ds", "DELETE", "/Basic?identifier=s|v", None, 204),
        ("system/Observation.ds", "DELETE", "/Observation?subject.name=x", None, 403),
        ("system/*.rs", "POST", "/Basic", BASIC, 403),
        ("system/Patient.s", "POST", "/Patient/$match", SOUGHT, 200),
        ("system/*.rs", "GET", "/$export", None, 400),
        ("system/Patient.rs", "GET", "/$export", None, 403),
        ("system/*.rs", "POST", "/$import", {}, 403),
        ("system/Subscription.cruds", "POST", "/Subscription", HOOK, 403),
        ("system/Patient.rs", "GET", "/Subscription/$status", None, 403),
        ("system/Basic.c", "POST", "/", bundle("transaction", ("POST", "Basic", BASIC)), 200),
        ("system/Basic.u", "POST", "/", bundle("transaction", ("POST", "Basic", BASIC)), 403),
        (
            "system/Basic.c",
            "POST",
            "/",
            bundle("transaction", ("POST", "Basic", BASIC), ("GET", "Patient/p", None)),
            403,
        ),
        (
            "system/Basic.cd",
            "POST",
            "/",
            bundle("transaction", ("DELETE", "Basic?identifier=s|v", None)),
            403,
        ),
        ("system/Patient.rs", "GET", "/metadata", None, 200),
    ],
)
def test_a_token_reaches_as_far_as_its_scopes(
    hub: httpx.Client, scope: str, method: str, path: str, body: Any, status: int
) -> None:
    answer = call(hub, scope, method, path, body)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["issue"][0]["code"] == "forbidden"


def test_a_batch_does_the_entries_that_the_scopes_reach(hub: httpx.Client) -> None:
    entries = bundle("batch", ("GET", "Patient/p", None), ("GET", "Observation/o", None))
    told = call(hub, "system/Patient.r", "POST", "/", entries).json()
    assert [each["response"]["status"][:3] for each in told["entry"]] == ["200", "403"]


@pytest.mark.parametrize(
    ("scope", "path", "shown"),
    [
        ("system/Observation.rs", "/Observation?_include=Observation:subject", {"Observation"}),
        (
            "system/*.rs",
            "/Observation?_include=Observation:subject",
            {"Observation", "Patient"},
        ),
        ("system/Patient.rs", "/Patient?_revinclude=Observation:subject", {"Patient"}),
        ("system/Patient.r", "/Patient/p/$everything", {"Patient"}),
        ("system/*.r", "/Patient/p/$everything", {"Observation", "Patient"}),
    ],
)
def test_a_result_shows_no_type_that_the_scopes_leave_out(
    hub: httpx.Client, scope: str, path: str, shown: set[str]
) -> None:
    answer = call(hub, scope, "GET", path)
    assert answer.status_code == 200, answer.text
    entries = answer.json()["entry"]
    assert {each["resource"]["resourceType"] for each in entries} == shown


def test_no_page_of_the_hub_opens_with_a_token_of_narrow_scopes(hub: httpx.Client) -> None:
    headers = {"authorization": f"Bearer {token(hub, SIGNER, 'app', 'system/Patient.rs')}"}
    assert hub.get("/console", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("asked", "bounds", "granted"),
    [
        ("system/*.rs", "system/*.cruds", "system/*.rs"),
        ("system/*.cruds", "system/*.rs", "system/*.rs"),
        (
            "system/*.rs",
            "system/Patient.r system/Observation.s",
            "system/Observation.s system/Patient.r",
        ),
        ("system/Patient.cruds", "system/*.rs system/Patient.u", "system/Patient.rus"),
        ("system/Patient.rs", "system/Observation.rs", ""),
        ("system/Patient.read system/Patient.write", "system/*.*", "system/Patient.cruds"),
        ("launch system/Patient.r", "launch", "launch"),
        ("launch", "system/*.cruds", ""),
        ("patient/*.rs openid fhirUser system/*.rs?category=x", "system/*.cruds", ""),
        ("system/Patient.sr system/Patient.", "system/*.cruds", ""),
    ],
)
def test_what_is_granted_is_what_is_both_asked_and_registered(
    asked: str, bounds: str, granted: str
) -> None:
    made = scopes.wanted(asked.split()).within(scopes.registered(bounds.split()))
    assert " ".join(made.words()) == granted
    assert scopes.wanted(made.words()) == made


@pytest.mark.parametrize("word", ["system/Patiens.rs", "user/*.rs", "system/*.", "all", "*"])
def test_a_registration_names_no_scope_that_the_hub_has_not(word: str) -> None:
    with pytest.raises(InvalidRequest, match="no scope"):
        scopes.registered([word])


def test_the_configuration_is_open_and_says_what_the_statement_says(hub: httpx.Client) -> None:
    told = hub.get("/fhir/.well-known/smart-configuration")
    assert told.status_code == 200
    endpoint = told.json()["token_endpoint"]
    assert endpoint == f"{str(hub.base_url).rstrip('/')}/oauth/token"
    assert told.json()["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    statement = call(hub, "system/Patient.r", "GET", "/metadata").json()
    security = statement["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert endpoint in json.dumps(security)
