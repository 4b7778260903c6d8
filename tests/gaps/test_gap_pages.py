"""The gap pages over HTTP: the queue, a preview, solving and going back, by whom and by whom not."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from gap_stage import (
    CODE,
    SETTINGS,
    codes,
    converters,
    gap,
    report,
    settled,
    take,
    until,
    working,
)
from serving import answering

from healthhub import keep
from healthhub.access import Role, accounts
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.pipeline import process

PASSWORD = "Map-9-codes-by-name"


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def key_of(page: str) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found
    return found[1]


def signed_in(client: httpx.Client, name: str) -> httpx.Client:
    key = key_of(client.get("/signin").text)
    fields = {"name": name, "password": PASSWORD, "form_key": key}
    assert client.post("/signin", data=fields).status_code == 303
    client.headers["accept"] = "text/html"
    return client


def work_off(conn: psycopg.Connection) -> None:
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 3)


@pytest.fixture
def hub(database: str, conn: psycopg.Connection) -> Iterator[httpx.Client]:
    accounts.add(conn, "admin", PASSWORD, [Role.ADMIN], "林管理")
    accounts.add(conn, "doctor", PASSWORD, [Role.CLINICIAN], "周医生")
    take(database, *(report(n) for n in range(3)), report(3, code="XX01"))
    take(database, report(4), source="a-old-lis")
    work_off(conn)
    with answering(build_app(SETTINGS, database)) as client:
        yield client


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def act(client: httpx.Client, number: int, what: str, **fields: str) -> httpx.Response:
    key = key_of(client.get(f"/console/gaps/{number}").text)
    return client.post(f"/console/gaps/{number}/{what}", data={"form_key": key, **fields})


def test_the_queue_lists_codes_by_how_often_they_came(
    hub: httpx.Client, conn: psycopg.Connection
) -> None:
    page = signed_in(hub, "admin").get("/console/gaps").text
    rows = re.findall(r'<a href="/console/gaps/\d+"><code>(\w+)</code>', page)
    assert rows == [CODE, "XX01", CODE]
    assert "尿酸" in page
    assert "μmol/L" in page
    assert "检验项目" in page
    one = hub.get("/console/gaps?source=a-old-lis").text
    assert len(re.findall(r'<a href="/console/gaps/\d+"><code>', one)) == 1
    assert "没有搁开的代码" in hub.get("/console/gaps?shown=aside").text
    assert hub.get("/console/gaps?shown=lost").status_code == 400
    assert "Codes without a map" in hub.get("/console/gaps?lang=en").text


def test_a_gap_shows_samples_and_ranked_proposals_with_reasons(
    hub: httpx.Client, conn: psycopg.Connection
) -> None:
    page = text(signed_in(hub, "admin").get(f"/console/gaps/{gap(conn).id}").text)
    assert "尿酸 14933-6 100%" in page
    for reason in (
        "名称相同：尿酸",
        "单位相同：μmol/L",
        "参考范围相近",
        "hospital-b 把同名项目映射到此",
    ):
        assert reason in page
    assert "267" in page
    assert "155–357" in page or "155-357" in page


def test_a_preview_changes_nothing_and_a_click_solves(
    hub: httpx.Client, conn: psycopg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, number = signed_in(hub, "admin"), gap(conn).id
    shown = act(admin, number, "preview", code="14933-6", display="尿酸")
    said = text(shown.text)
    assert "将改变 4 个已入库资源，涉及 4 名患者的页面" in said
    assert "尿酸 0399003 尿酸 14933-6；尿酸 0399003" in said
    assert said.count("…") == 4, "each example names the patient, in short"
    assert keep.code_maps.newest(conn) == 0
    fields = dict(re.findall(r'name="(code|display|system|seen)" value="([^"]*)"', shown.text))
    without = act(admin, number, "solve", **fields)
    assert without.status_code == 400
    solved = act(admin, number, "solve", **fields, reason="与检验科核对")
    assert solved.status_code == 303
    assert "正在按此版本重新生成" in admin.get(f"/console/gaps/{number}").text
    with working(database, monkeypatch):
        until(lambda: settled(conn))
        assert codes(conn)[0] == [("尿酸", "14933-6"), ("尿酸", CODE)]
        page = text(admin.get(f"/console/gaps/{number}").text)
        assert "现映射为 尿酸 14933-6 admin" in page
        back = act(admin, number, "unpreview")
        assert "尿酸 14933-6；尿酸 0399003 尿酸 0399003" in text(back.text)
        act(admin, number, "undo", seen="1", reason="看错了")
        until(lambda: settled(conn))
    assert codes(conn)[0] == [("尿酸", CODE)]
    log = text(admin.get("/console").text)
    assert "撤销映射" in log
    assert "与检验科核对" in log
    audited = conn.execute(
        "select outcome, query from audit_event where action = 'map' order by id"
    ).fetchall()
    assert [q for _, q in audited] == [
        f"gap {number} map 14933-6",
        f"gap {number} map 14933-6",
        f"gap {number} unmap 1",
    ]


def test_only_who_may_map_codes_sees_and_solves(
    hub: httpx.Client, conn: psycopg.Connection
) -> None:
    number = gap(conn).id
    assert hub.get("/console/gaps", headers={"accept": "text/html"}).status_code in (303, 401)
    doctor = signed_in(hub, "doctor")
    assert doctor.get("/console/gaps").status_code == 403
    assert doctor.get(f"/console/gaps/{number}").status_code == 403
    key = key_of(doctor.get("/").text)
    fields = {"form_key": key, "code": "14933-6", "reason": "x", "seen": "0"}
    assert doctor.post(f"/console/gaps/{number}/solve", data=fields).status_code == 403
    assert doctor.post(f"/console/gaps/{number}/solve", data={}).status_code == 403
    assert keep.code_maps.newest(conn) == 0


def test_a_wrong_target_is_refused_with_advice(
    hub: httpx.Client, conn: psycopg.Connection
) -> None:
    admin, number = signed_in(hub, "admin"), gap(conn).id
    refused = act(admin, number, "preview", code="14933-5")
    assert refused.status_code == 400
    stale = act(admin, number, "solve", code="14933-6", seen="7", reason="x")
    assert stale.status_code == 409
    assert admin.get("/console/gaps/999").status_code == 404


def test_a_code_that_no_standard_has_is_set_aside_and_put_back(
    hub: httpx.Client, conn: psycopg.Connection
) -> None:
    admin, number = signed_in(hub, "admin"), gap(conn, "XX01").id
    assert act(admin, number, "aside", reason="院内自设").status_code == 303
    assert "XX01" not in admin.get("/console/gaps").text
    assert "XX01" in admin.get("/console/gaps?shown=aside").text
    assert "院内自设" in admin.get(f"/console/gaps/{number}").text
    act(admin, number, "aside", reason="还是要映射", back="1")
    assert "XX01" in admin.get("/console/gaps").text
    assert keep.counts(conn).by_state[State.DONE] == 5
