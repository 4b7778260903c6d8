"""The pages of a real hub: stored resources, a real session, and an audit that the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from markup import read
from serving import answering

from healthhub.access import Purpose, Role, accounts, clients
from healthhub.main import build_app
from healthhub.settings import Settings
from healthhub.store import direct

PASSWORD = "Quiet-7-lanterns-over-water"
TITLES = {"zhou": "周砚 医生", "lin": "林若水 医生"}


@pytest.fixture
def patient(connection: psycopg.Connection[Any]) -> str:
    """A stored patient with one result that was corrected, and another patient beside."""
    person = {
        "resourceType": "Patient",
        "name": [{"text": "顾长河"}],
        "birthDate": "1964-03-12",
    }
    key = str(direct.create(connection, "Patient", dict(person)).id)
    other = {"resourceType": "Patient", "name": [{"text": "白无瑕"}]}
    direct.create(connection, "Patient", other)
    result = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "钾"},
        "subject": {"reference": f"Patient/{key}"},
        "effectiveDateTime": "2026-11-20T08:00:00+08:00",
        "valueQuantity": {"value": 6.8, "unit": "mmol/L"},
    }
    stored = direct.create(connection, "Observation", dict(result))
    changed = result | {"id": str(stored.id), "status": "corrected"}
    changed["valueQuantity"] = {"value": 4.1, "unit": "mmol/L"}
    direct.update(connection, "Observation", str(stored.id), changed)
    for name, title in TITLES.items():
        accounts.add(connection, name, PASSWORD, [Role.CLINICIAN], title)
    connection.commit()
    return key


@pytest.fixture
def hub(database: str) -> Iterator[httpx.Client]:
    """The whole web application over its database."""
    with answering(build_app(Settings(), database)) as client:
        client.headers["accept"] = "text/html"
        yield client


def sign_in(hub: httpx.Client, name: str) -> None:
    hub.cookies.clear()
    key = re.search(r'name="form_key" value="([^"]+)"', hub.get("/signin").text)
    assert key
    form = {"form_key": key[1], "name": name, "password": PASSWORD, "next": "/"}
    assert hub.post("/signin", data=form).status_code == 303


def looks(page: str) -> list[list[str]]:
    """The lines of the card "who has looked": reader, role, purpose."""
    card = page.split('id="looks"', 1)[1]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", card)
    return [[name, *re.findall(r"<td[^>]*>(.*?)</td>", rest)[:2]] for name, rest in rows]


def test_the_record_shows_the_corrected_value_with_the_old_one_struck_through(
    hub: httpx.Client, patient: str
) -> None:
    sign_in(hub, "zhou")
    page = hub.get(f"/record/{patient}")
    assert page.status_code == 200
    assert read(page.text).faults == []
    assert '<del>6.8</del> <span class="value">4.1</span>' in page.text


def test_who_has_looked_is_told_to_the_next_reader_and_to_oneself(
    hub: httpx.Client, patient: str, connection: psycopg.Connection[Any]
) -> None:
    sign_in(hub, "zhou")
    first = hub.get(f"/record/{patient}").text
    assert looks(first) == [["周砚 医生", "临床人员", "诊疗"]]
    sign_in(hub, "lin")
    hub.get(f"/record/{patient}")
    second = hub.get(f"/record/{patient}/looks").text
    assert [line[0] for line in looks(second)] == ["林若水 医生", "周砚 医生"]
    token = clients.add(connection, "registry", [Role.SYSTEM], Purpose.PUBHLTH)
    connection.commit()
    bearer = {"authorization": f"Bearer {token}", "accept": "application/fhir+json"}
    assert hub.get(f"/fhir/Patient/{patient}", headers=bearer).status_code == 200
    third = looks(hub.get(f"/record/{patient}").text)
    assert ["registry", "接口系统", "公共卫生"] in third
    assert len(third) == 3, "a line for each reader and day"


def test_to_ask_who_has_looked_is_itself_audited(
    hub: httpx.Client, patient: str, connection: psycopg.Connection[Any]
) -> None:
    sign_in(hub, "zhou")
    hub.get(f"/record/{patient}/looks")
    events = connection.execute(
        "select query from audit_event where %s = any(patients) and outcome = 'done'",
        (patient,),
    ).fetchall()
    assert {query for (query,) in events} >= {"person", "$everything", "readers"}


def test_a_look_at_one_patient_is_none_at_another_and_a_refused_one_is_none(
    hub: httpx.Client, patient: str, connection: psycopg.Connection[Any]
) -> None:
    accounts.add(connection, "clerk", PASSWORD, [Role.ADMIN], "林管理")
    connection.commit()
    row = connection.execute(
        "select id::text from resource where type = 1 and id <> %s", (patient,)
    ).fetchone()
    assert row is not None
    sign_in(hub, "clerk")
    assert hub.get(f"/record/{patient}").status_code == 403
    sign_in(hub, "lin")
    assert hub.get(f"/record/{row[0]}").status_code == 200
    sign_in(hub, "zhou")
    assert [line[0] for line in looks(hub.get(f"/record/{patient}").text)] == ["周砚 医生"]


def test_a_page_asks_for_all_corrected_results_in_one_audited_look(
    hub: httpx.Client, patient: str, connection: psycopg.Connection[Any]
) -> None:
    sign_in(hub, "zhou")
    hub.get(f"/record/{patient}")
    row = connection.execute(
        "select count(*), min(type) from audit_event where query = '_history'"
    ).fetchone()
    assert row == (1, "Observation")
