"""Launch tickets: a hospital's system brings its doctor to one record, once, for a while."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from serving import answering
from signing import elliptic, register, token

from healthhub import identify
from healthhub.access import Purpose, Role, clients
from healthhub.access.http import LAUNCH_COOKIE
from healthhub.identify.identity import check_character
from healthhub.main import build_app
from healthhub.settings import Institution, Settings, Source, Web
from healthhub.store import direct as store
from healthhub.store.writer import Written

SIGNER = elliptic()
STEM = "42010619800307001"
NUMBER = STEM + check_character(STEM)
NATIONAL = "urn:oid:2.16.156.10011.1.3"
SETTINGS = Settings(
    institutions={"a": Institution(title="甲医院"), "b": Institution(title="乙医院")},
    sources={
        "his-a": Source(institution="a", mapping="national/hl7v2"),
        "lis-a": Source(institution="a", mapping="national/hl7v2"),
        "his-b": Source(institution="b", mapping="national/hl7v2"),
    },
)
WANTED = {
    "patient": {"value": "0001"},
    "doctor": {"id": "D7", "name": "钱试验 医生"},
    "purpose": "TREAT",
}


def patient(fhir_id: str, source: str, name: str, *numbers: tuple[str, str]) -> dict[str, Any]:
    """A source's Patient with (system, value) of its numbers."""
    return {
        "resourceType": "Patient",
        "id": fhir_id,
        "meta": {"source": f"urn:healthhub:source:{source}#1"},
        "identifier": [{"system": system, "value": value} for system, value in numbers],
        "name": [{"text": name}],
        "birthDate": "1980-03-07",
    }


def result(fhir_id: str, subject: str, text: str) -> dict[str, Any]:
    """A result of a Patient."""
    return {
        "resourceType": "Observation",
        "id": fhir_id,
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"text": text},
        "subject": {"reference": f"Patient/{subject}"},
        "effectiveDateTime": "2026-11-20T08:00:00+08:00",
        "valueQuantity": {"value": 5, "unit": "mmol/L"},
    }


BODIES = (
    patient("a1", "lis-a", "陈试验", ("urn:a:mr", "0001"), (NATIONAL, NUMBER)),
    patient("b1", "his-b", "陈试验", ("urn:b:mr", "777"), (NATIONAL, NUMBER)),
    patient("b2", "his-b", "李别人", ("urn:b:mr", "0001")),
    patient("a2", "his-a", "周另外", ("urn:a:mr", "0002"), ("urn:a:card", "55")),
    patient("a3", "his-a", "吴第三", ("urn:a:mr", "55")),
    result("o-a", "a1", "甲院血糖"),
    result("o-b", "b1", "乙院血糖"),
    result("o-x", "b2", "别人血糖"),
)


def told(connection: psycopg.Connection, *bodies: dict[str, Any]) -> None:
    """Store what sources have told, as the hub itself does."""
    for body in bodies:
        made = store.update(connection, body["resourceType"], body["id"], body)
        identify.observe(
            connection,
            [Written(made.type, made.id, made.patient, "created", made.version, body)],
            [],
        )
    connection.commit()


@pytest.fixture
def hub(database: str, connection: psycopg.Connection) -> Iterator[httpx.Client]:
    """A hub that knows some patients; its client carries a token of hospital A's system."""
    with answering(build_app(SETTINGS, database)) as client:
        loader = clients.add(connection, "loader", [Role.SYSTEM], Purpose.TREAT)
        register(connection, "his-a", "launch", SIGNER, source="his-a")
        told(connection, *BODIES)
        client.headers["x-loader"] = loader
        yield client


def asked(hub: httpx.Client, **changes: Any) -> httpx.Response:
    """What the hub answers to the system that wants a ticket."""
    headers = {"authorization": f"Bearer {token(hub, SIGNER, 'his-a', 'launch')}"}
    return hub.post("/launch/ticket", json=WANTED | changes, headers=headers)


def opened(hub: httpx.Client, **changes: Any) -> str:
    """The address of the record that a ticket has opened in this client's browser."""
    answer = asked(hub, **changes)
    assert answer.status_code == 201, answer.text
    assert answer.json()["expires_in"] == 60
    page = hub.get(answer.json()["url"])
    assert page.status_code == 303, page.text
    return page.headers["location"]


def looks(page: str) -> list[list[str]]:
    """The lines of the card "who has looked": reader, role, purpose."""
    card = page.split('id="looks"', 1)[1]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", card)
    return [[name, *re.findall(r"<td[^>]*>(.*?)</td>", rest)[:2]] for name, rest in rows]


def test_a_ticket_opens_the_whole_record_of_its_patient_in_the_doctor_s_name(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    page = hub.get(opened(hub))
    assert page.status_code == 200
    assert "甲院血糖" in page.text
    assert "乙院血糖" in page.text
    assert "别人血糖" not in page.text
    assert "<span>钱试验 医生</span>" in page.text
    assert ["钱试验 医生", "医院系统医生", "诊疗"] in looks(page.text)
    events = connection.execute(
        "select actor, action, outcome, purpose, cardinality(patients) from audit_event"
        " where action in ('launch', 'sign-in') and query not like 'token%' order by at"
    ).fetchall()
    (client,) = (
        connection.execute("select id from client where name = 'his-a'").fetchone() or ()
    )
    assert events == [
        (f"client:{client}", "launch", "done", "TREAT", 1),
        ("doctor:1", "sign-in", "done", "TREAT", 1),
    ]


def test_the_purpose_is_the_one_that_the_system_named(hub: httpx.Client) -> None:
    page = hub.get(opened(hub, purpose="PATRQT"))
    assert ["钱试验 医生", "医院系统医生", "本人要求"] in looks(page.text)


def test_a_ticket_is_good_once_and_what_comes_after_is_told_kindly_in_both_languages(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    url = asked(hub).json()["url"]
    with ThreadPoolExecutor(8) as crowd:
        statuses = sorted(crowd.map(lambda _: httpx.get(url, timeout=20).status_code, range(8)))
    assert statuses == [303, *[410] * 7]
    again = hub.get(url)
    text = html.unescape(again.text)
    assert "这个链接已不能再用" in text
    assert "This link can be used no more" in text
    assert LAUNCH_COOKIE not in again.cookies
    told = connection.execute(
        "select outcome, count(*) from audit_event"
        " where action = 'sign-in' and query = 'launch ticket' group by 1 order by 1"
    ).fetchall()
    assert told == [("denied", 8), ("done", 1)]


@pytest.mark.parametrize(
    "change",
    [
        "update launch_ticket set expires_at = now()",
        "update client set disabled_at = now()",
        "delete from launch_ticket",
    ],
)
def test_a_ticket_that_is_too_old_or_taken_back_opens_nothing(
    hub: httpx.Client, connection: psycopg.Connection, change: str
) -> None:
    url = asked(hub).json()["url"]
    connection.execute(change)  # type: ignore[arg-type]
    connection.commit()
    assert hub.get(url).status_code == 410
    assert connection.execute("select count(*) from launch_session").fetchone() == (0,)


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=x", "?ticket=%E2%82%AC"])
def test_what_is_no_ticket_opens_nothing(hub: httpx.Client, query: str) -> None:
    assert hub.get(f"/launch{query}").status_code == 410


def test_neither_ticket_nor_cookie_is_stored(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    made = asked(hub).json()
    answer = hub.get(made["url"])
    cookie = answer.cookies[LAUNCH_COOKIE]
    rows = connection.execute(
        "select t::text from launch_ticket t union all select s::text from launch_session s"
    ).fetchall()
    assert len(rows) == 2
    assert not any(secret in row for (row,) in rows for secret in (made["ticket"], cookie))


def test_the_session_shows_that_record_and_nothing_else(hub: httpx.Client) -> None:
    record = opened(hub)
    cookie = {"cookie": f"{LAUNCH_COOKIE}={hub.cookies[LAUNCH_COOKIE]}"}
    hub.cookies.clear()
    own = [record, f"{record}/trace/Observation/o-b", "/record/a1", "/fhir/Observation/o-a"]
    for address in own:
        assert hub.get(address, headers=cookie).status_code == 200, address
    others = [
        "/record/b2",
        "/record/nobody",
        f"{record}/trace/Observation/o-x",
        f"{record}/trace/Observation/nothing",
        f"{record}/picture/nothing",
        "/fhir/Observation/o-x",
        "/fhir/Observation/nothing",
        "/fhir/Observation/o-x/_history",
        "/fhir/Patient/b2/$everything",
        "/fhir/Patient?name=李别人",
        "/fhir/Patient?name=李别人&_summary=count",
        "/fhir/Observation?patient=b2",
        "/console",
    ]
    headers = cookie | {"purpose-of-use": "TREAT"}
    for address in others:
        assert hub.get(address, headers=headers).status_code == 403, address
    written = hub.put("/fhir/Patient/a1", json=BODIES[0], headers=headers)
    assert written.status_code == 403


def test_what_is_another_s_and_what_is_not_there_are_refused_alike(hub: httpx.Client) -> None:
    opened(hub)
    headers = {"cookie": f"{LAUNCH_COOKIE}={hub.cookies[LAUNCH_COOKIE]}"}
    answers = [
        hub.get(f"/fhir/Observation/{one}", headers=headers).text for one in ("o-x", "none")
    ]
    assert answers[0] == answers[1]


def test_two_windows_of_one_browser_show_two_patients(hub: httpx.Client) -> None:
    first, second = opened(hub), opened(hub, patient={"value": "0002"})
    assert "陈试验" in hub.get(first).text
    assert "周另外" in hub.get(second).text


@pytest.mark.parametrize(
    "change",
    [
        "update launch_session set expires_at = now()",
        "update launch_session set seen_at = now() - interval '31 min'",
        "update client set disabled_at = now()",
        "leave",
    ],
)
def test_a_session_ends(hub: httpx.Client, connection: psycopg.Connection, change: str) -> None:
    record = opened(hub)
    if change == "leave":
        page = hub.get(record).text
        assert f'action="{record}/leave"' in page
        key = re.search(r'name="form_key" value="([^"]+)"', page)
        assert key
        left = hub.post(f"{record}/leave", data={"form_key": key[1]})
        assert "已退出" in left.text
        assert LAUNCH_COOKIE not in hub.cookies
    else:
        connection.execute(change)  # type: ignore[arg-type]
        connection.commit()
    answer = hub.get(record, headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert "回到医院系统" in hub.get(answer.headers["location"]).text


def test_the_cookie_goes_to_its_record_alone_and_into_frames_only_where_the_settings_allow(
    hub: httpx.Client, database: str
) -> None:
    answer = hub.get(asked(hub).json()["url"])
    told = answer.headers["set-cookie"]
    assert f"Path={answer.headers['location']}" in told
    assert "HttpOnly" in told
    assert "samesite=lax" in told.lower()
    web = Web(embedded_by=("https://his.example",), secure_cookies=True)
    framed = SETTINGS.model_copy(update={"web": web})
    with answering(build_app(framed, database)) as other:
        told = other.get(asked(other).json()["url"]).headers["set-cookie"].lower()
    assert "samesite=none" in told
    assert "secure" in told


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"patient": {"value": NUMBER}}, 201),
        ({"patient": {"value": "55", "system": "urn:a:card"}}, 201),
        ({"patient": {"value": "55"}}, 409),
        ({"patient": {"value": "777"}}, 404),
        ({"patient": {"value": "nobody"}}, 404),
        ({"patient": {"value": "0001,0002"}}, 404),
        ({"patient": {"value": ""}}, 400),
        ({"patient": "0001"}, 400),
        ({"patient": {"value": 1}}, 400),
        ({"patient": {"value": "a\0"}}, 400),
        ({"doctor": {"id": "D7"}}, 400),
        ({"doctor": {"id": "", "name": "x"}}, 400),
        ({"doctor": {"id": "D7", "name": "x" * 201}}, 400),
        ({"purpose": "CURIOSITY"}, 400),
        ({"purpose": ["TREAT"]}, 400),
        ({"purpose": "PUBHLTH"}, 403),
    ],
    ids=str,
)
def test_a_ticket_is_made_for_one_known_patient_of_the_system_s_own(
    hub: httpx.Client, changes: dict[str, Any], status: int
) -> None:
    answer = asked(hub, **changes)
    assert answer.status_code == status, answer.text
    assert ("ticket" in answer.json()) == (status == 201)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a":"' + b"x" * 20_000 + b'"}'])
def test_what_is_no_request_for_a_ticket_is_refused(hub: httpx.Client, content: bytes) -> None:
    headers = {"authorization": f"Bearer {token(hub, SIGNER, 'his-a', 'launch')}"}
    answer = hub.post("/launch/ticket", content=content, headers=headers)
    assert answer.status_code in (400, 413)


def test_only_a_source_s_system_with_the_scope_gets_tickets(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    register(connection, "app", "launch system/*.rs", SIGNER)
    register(connection, "lis-a", "system/*.rs", SIGNER, source="lis-a")
    register(connection, "gone", "launch", SIGNER, source="gone")
    viewer = clients.add(connection, "view", [Role.CLINICIAN], Purpose.TREAT, source="his-a")
    connection.commit()
    tokens = [
        token(hub, SIGNER, "app", "launch"),
        token(hub, SIGNER, "lis-a", "system/*.rs"),
        token(hub, SIGNER, "gone", "launch"),
        hub.headers["x-loader"],
        viewer,
    ]
    for one in tokens:
        headers = {"authorization": f"Bearer {one}"}
        assert hub.post("/launch/ticket", json=WANTED, headers=headers).status_code == 403
    narrow = {"authorization": f"Bearer {token(hub, SIGNER, 'his-a', 'launch')}"}
    assert hub.get("/fhir/Patient/a1", headers=narrow).status_code == 403


def test_a_doctor_is_one_however_often_and_is_called_as_the_system_says_last(
    hub: httpx.Client, connection: psycopg.Connection
) -> None:
    opened(hub)
    opened(hub, doctor={"id": "D7", "name": "钱试验 主任"})
    rows = connection.execute("select source, number, title from doctor").fetchall()
    assert rows == [("his-a", "D7", "钱试验 主任")]


def test_a_patient_whom_a_client_passes_off_as_the_source_s_opens_nothing(
    hub: httpx.Client,
) -> None:
    loader = {"authorization": f"Bearer {hub.headers['x-loader']}"}
    forged = patient("f", "his-a", "冯冒名", ("urn:a:mr", "0009"))
    stored = hub.put("/fhir/Patient/f", json=forged, headers=loader)
    assert stored.status_code == 201, stored.text
    assert asked(hub, patient={"value": "0009"}).status_code == 404
    moved = patient("b2", "his-a", "李别人", ("urn:b:mr", "0001"), ("urn:a:mr", "0009"))
    assert hub.put("/fhir/Patient/b2", json=moved, headers=loader).status_code == 200
    assert asked(hub, patient={"value": "0009"}).status_code == 404
    assert asked(hub).status_code == 201
