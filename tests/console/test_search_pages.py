"""Messages of a patient are found without a patient's data in any address or log; many messages
are acted on in the background."""

from __future__ import annotations

import re

import httpx
import psycopg
import pytest

from healthhub import keep
from healthhub.keep import tasks
from healthhub.model.message import State
from healthhub.serve.console import acts, choosing
from tests.console.conftest import key_of, signed_in, take, work_off
from tests.console.test_console_pages import act, find, numbers
from tests.keep.test_tasks import work
from tests.receive.test_mllp_listener import message


@pytest.fixture
def of_one(database: str, conn: psycopg.Connection) -> dict[str, int]:
    """Two messages of 吴十一, the second parked, and one of another."""
    first = message("N1", name="吴^十一").replace("PN1^^^A", "PAT77^^^A&A&L^PI")
    second = message("N2", name="吴^十一").replace("PN2^^^A", "PAT77^^^A&A&L^PI")
    (made,) = take(database, "his", first.encode())
    (other,) = take(database, "his", message("N3", name="郑^十二").encode())
    work_off(conn)
    (parked,) = take(database, "his", second.encode())
    keep.park(conn, {parked: []})
    return {"made": made, "parked": parked, "other": other}


@pytest.mark.parametrize("typed", ["吴十一", "PAT77", " 吴十一 "])
def test_a_patient_leads_to_all_messages_of_theirs(
    admin: httpx.Client, of_one: dict[str, int], typed: str
) -> None:
    page = find(admin, patient=typed).text
    assert numbers(page) == [of_one["parked"], of_one["made"]]
    assert not [a for a in re.findall(r'(?:href|action)="([^"]*)"', page) if "PAT77" in a]


def test_a_patient_nobody_knows_has_none_and_other_conditions_still_hold(
    admin: httpx.Client, of_one: dict[str, int]
) -> None:
    assert numbers(find(admin, patient="冯十三").text) == []
    assert numbers(find(admin, patient="吴十一", state="parked").text) == [of_one["parked"]]
    assert len(numbers(admin.get("/console/messages?patient=%E5%90%B4").text)) == 3


def test_whose_messages_were_looked_for_is_audited_and_not_what_was_typed(
    admin: httpx.Client, of_one: dict[str, int], conn: psycopg.Connection
) -> None:
    find(admin, patient="吴十一")
    rows = conn.execute(
        "select query, cardinality(patients) from audit_event"
        " where query = 'messages of a patient'"
    ).fetchall()
    assert len(rows) == 1
    assert rows[0][1] >= 1
    assert conn.execute(
        "select count(*) from audit_event where query like '%吴%'"
    ).fetchone() == (0,)


def test_a_doctor_cannot_search_messages_by_patient(
    hub: httpx.Client, of_one: dict[str, int]
) -> None:
    doctor = signed_in(hub, "doctor")
    key = key_of(doctor.get("/").text)
    answer = doctor.post("/console/messages", data={"form_key": key, "patient": "吴十一"})
    assert answer.status_code == 403


def test_many_messages_become_a_task_that_shows_its_way_and_can_be_stopped(
    admin: httpx.Client,
    of_one: dict[str, int],
    conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acts, "AT_ONCE", 1)
    answer = act(admin, action="replay", source="his", reason="字典已更正")
    assert "已开始在后台重放" in answer.text
    page = admin.get("/console").text
    assert "后台任务" in page
    (address,) = re.findall(r'action="(/console/tasks/\d+/stop)"', page)
    assert admin.post(address, data={"form_key": "forged"}).status_code == 403
    assert admin.post(address, data={"form_key": key_of(page)}).status_code == 303
    assert "已停止" in admin.get("/console").text
    act(admin, action="replay", source="his", reason="字典已更正")
    while work(conn):
        pass
    assert keep.counts(conn, "his").by_state[State.PENDING] == 3
    assert "完成" in admin.get("/console").text


def test_a_task_that_a_fault_ended_says_so(
    admin: httpx.Client,
    of_one: dict[str, int],
    conn: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acts, "AT_ONCE", 1)
    act(admin, action="replay", source="his", reason="字典已更正")
    number = tasks.due(conn)
    assert number is not None
    tasks.fail(conn, number, "ZeroDivisionError")
    page = admin.get("/console").text
    assert "因故障停止" in page
    assert "ZeroDivisionError" in page
    assert "/console/tasks/" not in page


def test_what_takes_too_long_is_refused_with_advice(
    admin: httpx.Client, of_one: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(conn: psycopg.Connection, *_: object, **__: object) -> list[object]:
        conn.execute("select pg_sleep(5)")
        return []

    monkeypatch.setattr(choosing, "LIST_SECONDS", 0.05)
    monkeypatch.setattr(keep, "find", slow)
    answer = admin.get("/console/messages?kind=ORU*")
    assert answer.status_code == 422
    assert "eight days" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "messages?source=a%00b",
        "messages?kind=%00",
        "gaps?source=%00",
        "gaps?start=99999999999999999999",
    ],
)
def test_an_address_with_what_the_store_cannot_hold_is_refused(
    admin: httpx.Client, address: str
) -> None:
    assert admin.get(f"/console/{address}").status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "9" * 30},
        {"id": "9" * 5000},
        {"id": "٣"},
        {"number": "\0"},
        {"patient": "\0"},
        {"source": "his", "reason": "r\0"},
    ],
)
def test_a_form_with_what_the_store_cannot_hold_is_refused(
    admin: httpx.Client, fields: dict[str, str]
) -> None:
    key = key_of(admin.get("/console/messages").text)
    sent = {"form_key": key, "action": "ignore", "reason": "r", **fields}
    assert admin.post("/console/act", data=sent).status_code == 400
