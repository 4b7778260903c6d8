"""What is neither page nor FHIR is described, and does as it is described."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from serving import answering, copied

from healthhub.access import Purpose, Role, clients
from healthhub.main import build_app
from healthhub.settings import Institution, Settings, Source

TOKEN = "a-source-of-the-tests"
OAUTH = ("/oauth/token", "/oauth/introspect", "/oauth/revoke")
KINDS = ("hl7v2", "hl7v2", "cda")


@pytest.fixture(scope="module")
def hub(server_dsn: str, template: str) -> Iterator[httpx.Client]:
    """A hub that knows one source; its client carries the source's token."""
    source = Source(
        institution="h",
        mapping="national/hl7v2",
        token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),  # type: ignore[arg-type]
    )
    known = Settings(institutions={"h": Institution(title="h")}, sources={"his": source})
    with (
        copied(server_dsn, template) as database,
        answering(build_app(known, database)) as made,
    ):
        with psycopg.connect(database) as connection:
            token = clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)
        made.headers["x-client-token"] = token
        yield made


def described(hub: httpx.Client, accept: str = "application/json") -> httpx.Response:
    headers = {"authorization": f"Bearer {hub.headers['x-client-token']}", "accept": accept}
    path = "/openapi.json" if accept == "application/json" else "/docs"
    return hub.get(path, headers=headers)


def test_the_description_is_for_those_who_may_come_in(hub: httpx.Client) -> None:
    assert hub.get("/openapi.json").status_code == 401
    assert hub.get("/docs").status_code == 401
    body = described(hub).json()
    assert set(body["paths"]) == {"/feeds/{name}/{kind}", "/launch/ticket", *OAUTH}
    page = described(hub, "text/html")
    assert page.status_code == 200
    assert "POST /feeds/{name}/{kind}" in page.text
    assert "接口" in page.text


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_each_call_answers_as_it_is_described(hub: httpx.Client, data: st.DataObject) -> None:
    schema = schemathesis.openapi.from_dict(described(hub).json())
    for result in schema.get_all_operations():
        case = data.draw(result.ok().as_strategy())
        if case.path_parameters and data.draw(st.booleans()):
            case.path_parameters = {"name": "his", "kind": data.draw(st.sampled_from(KINDS))}
        case.call_and_validate(
            base_url=str(hub.base_url).rstrip("/"),
            headers={"authorization": f"Bearer {TOKEN}"},
            excluded_checks=[ignored_auth, positive_data_acceptance],
        )
