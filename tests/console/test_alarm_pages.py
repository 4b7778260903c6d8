"""Alarms in the console: seen at a glance, acknowledged with words, by those who operate."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from healthhub.watch import alarms
from healthhub.watch.rules import Trouble
from tests.console.conftest import key_of, signed_in

SILENT = Trouble("his", "silent", {"last": "2026-03-01T08:00:00+08:00", "minutes": 30})


@pytest.fixture
def alarm(conn: psycopg.Connection) -> int:
    opened, _ = alarms.settle(conn, [SILENT], ["duty"], lambda *_: "{}", 5)
    return opened[0].id


def test_an_open_alarm_stands_first_and_is_acknowledged_with_words(
    admin: httpx.Client, alarm: int, conn: psycopg.Connection
) -> None:
    for address in ("/console", "/console/sources/his", "/console/alarms"):
        page = admin.get(address).text
        assert "自 2026-03-01 08:00 起没有消息，超过设定的 30 分钟。" in page, address
    assert "静默" not in admin.get("/console/sources/lis").text.partition("<h1>")[0]
    key = key_of(page)
    where = f"/console/alarms/{alarm}"
    assert admin.post(where, data={"form_key": key, "note": " "}).status_code == 400
    assert admin.post(where, data={"form_key": "forged", "note": "x"}).status_code == 403
    note = "已电话通知信息科 <b>"
    assert admin.post(where, data={"form_key": key, "note": note}).status_code == 303
    page = admin.get("/console/alarms").text
    assert "已电话通知信息科 &lt;b&gt;" in page
    assert conn.execute(
        "select count(*) from audit_event where query = %s", (f"acknowledge alarm {alarm}",)
    ).fetchone() != (0,)
    assert (
        admin.post("/console/alarms/999", data={"form_key": key, "note": "x"}).status_code
        == 404
    )


def test_hooks_show_their_host_and_never_their_address(admin: httpx.Client, alarm: int) -> None:
    page = admin.get("/console/alarms?lang=en").text
    assert "duty" in page
    assert "no longer in the settings" in page


def test_an_alarm_that_is_over_is_listed_with_both_times(
    admin: httpx.Client, alarm: int, conn: psycopg.Connection
) -> None:
    alarms.settle(conn, [], [], lambda *_: "{}", 0)
    page = admin.get("/console/alarms").text
    assert "没有告警。" in page
    assert "超过设定的 30 分钟" in page.partition('id="over"')[2]
    assert 'class="card attention"' not in admin.get("/console").text


def test_only_who_operates_the_hub_sees_or_acknowledges_alarms(
    hub: httpx.Client, alarm: int, conn: psycopg.Connection
) -> None:
    doctor = signed_in(hub, "doctor")
    assert doctor.get("/console/alarms").status_code == 403
    key = key_of(doctor.get("/").text)
    answer = doctor.post(f"/console/alarms/{alarm}", data={"form_key": key, "note": "x"})
    assert answer.status_code == 403
    assert alarms.listed(conn, is_open=True)[0].acknowledged is None
