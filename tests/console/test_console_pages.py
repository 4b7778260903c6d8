"""The console over HTTP: what came, where it stands, why, and doing it again with a reason."""

from __future__ import annotations

import html
import re
from collections import Counter

import httpx
import psycopg
import pytest

from healthhub import clock, keep
from healthhub.keep import Choice, rows
from healthhub.model.message import Incoming, State
from tests.console.conftest import GBK, key_of, signed_in, take, work_off
from tests.receive.test_mllp_listener import message


def numbers(page: str) -> list[int]:
    """The messages that a page lists."""
    return [int(n) for n in re.findall(r'<td><a href="/console/messages/(\d+)">', page)]


def row(page: str, begins: str) -> list[str]:
    """The cells of the table row whose head begins so."""
    for found in re.findall(r"<tr.*?</tr>", page, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)
        text = [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells]
        if text and text[0].startswith(begins):
            return text
    raise AssertionError(begins)


def find(admin: httpx.Client, **fields: str) -> httpx.Response:
    key = key_of(admin.get("/console/messages").text)
    return admin.post("/console/messages", data={"form_key": key, **fields})


def act(admin: httpx.Client, **fields: str) -> httpx.Response:
    key = key_of(admin.get("/console/messages").text)
    return admin.post("/console/act", data={"form_key": key, **fields})


def test_the_overview_shows_each_source_and_its_counts_add_up(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    page = admin.get("/console").text
    activity, _, standing = page.partition('id="sources"')
    lines = {name: row(activity, name) for name in ("his", "lis", "pacs", "?")}
    assert "市一医院 HIS" in lines["his"][0]
    assert lines["pacs"][1] == "还没有消息"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", lines["his"][1])
    lines = {name: row(standing, name) for name in ("his", "lis", "pacs", "?", "合计")}
    counted = {name: [int(cell) for cell in cells[1:]] for name, cells in lines.items()}
    for cells in counted.values():
        assert sum(cells[:-1]) == cells[-1]
    total = counted.pop("合计")
    assert total == [sum(column) for column in zip(*counted.values(), strict=True)]
    states = conn.execute("select state, count(*) from message_state group by 1").fetchall()
    assert dict(zip(map(str, State), total, strict=False)) == dict.fromkeys(
        map(str, State), 0
    ) | dict(states)
    assert {ids["parked"], ids["rejected"], ids["strange"]} <= set(numbers(page))


def test_what_was_rejected_says_where_and_why_and_shows_the_byte(
    admin: httpx.Client, ids: dict[str, int]
) -> None:
    listed = admin.get("/console/messages?state=rejected").text
    assert ids["rejected"] in numbers(listed)
    assert "is not utf-8" in listed
    page = admin.get(f"/console/messages/{ids['rejected']}").text
    (place,) = re.findall(r"\?place=(byte%20\d+)#bytes", page)
    marked = admin.get(f"/console/messages/{ids['rejected']}?place={place}").text
    assert "<mark>\N{REPLACEMENT CHARACTER}</mark>" in marked


def test_a_finding_leads_to_its_bytes(admin: httpx.Client, ids: dict[str, int]) -> None:
    page = admin.get(f"/console/messages/{ids['dateless']}").text
    cells = row(page, "日期有误")
    assert cells[2] == "PID-7"
    marked = admin.get(f"/console/messages/{ids['dateless']}?place=PID-7").text
    assert "<mark>19801345</mark>" in marked


def test_an_element_leads_to_its_bytes(admin: httpx.Client, ids: dict[str, int]) -> None:
    page = admin.get(f"/console/messages/{ids['done']}").text
    assert "Patient/" in page
    links = [html.unescape(each) for each in re.findall(r'href="([^"]+element=[^"]+)"', page)]
    marked = [
        m for link in links for m in re.findall("<mark>(.*?)</mark>", admin.get(link).text)
    ]
    assert any("赵^一" in text for text in marked)


def test_bytes_are_shown_in_the_charset_that_the_message_declares(
    admin: httpx.Client, ids: dict[str, int]
) -> None:
    page = admin.get(f"/console/messages/{ids['gbk']}").text
    assert "钱^二" in page
    assert "gb18030" in page
    assert "钱^二".encode("gb18030") in GBK


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({"number": "PG0"}, ["done"]),
    ({"number": "D1"}, ["dateless"]),
    ({"number": "P"}, []),
    ({"state": "parked"}, ["parked"]),
    ({"state": "rejected", "source": "?"}, ["strange"]),
    ({"finding": "bad-date"}, ["dateless"]),
    ({"kind": "ORU*"}, []),
    ({"source": "lis"}, ["pending", "parked"]),
    ({"since": "2100-01-01"}, []),
    ({"until": "2020-01-01T08:00"}, []),
    ({"source": "lis", "until": "2100-01-01", "since": "2020-01-01"}, ["pending", "parked"]),
]


def test_messages_are_found_by_number_state_source_kind_time_and_finding(
    admin: httpx.Client, ids: dict[str, int]
) -> None:
    for fields, names in FOUND:
        found = numbers(find(admin, **fields).text)
        wanted = {ids[name] for name in names}
        assert set(found) == wanted, fields


def test_a_number_stands_in_no_address(admin: httpx.Client, ids: dict[str, int]) -> None:
    page = find(admin, number="PG0", source="his").text
    addresses = re.findall(r'(?:href|action)="([^"]*)"', page)
    assert not [address for address in addresses if "PG0" in address]
    assert numbers(admin.get("/console/messages?number=PG0&state=parked").text) == [
        ids["parked"]
    ], "in an address a number is not looked at"


def test_a_state_or_time_that_is_none_is_refused_with_advice(admin: httpx.Client) -> None:
    for address in ("state=lost", "since=yesterday"):
        assert admin.get(f"/console/messages?{address}").status_code == 400


@pytest.mark.parametrize("by_form", [False, True])
def test_long_lists_are_paged_by_key_and_lose_nothing(
    admin: httpx.Client, database: str, by_form: bool
) -> None:
    """By a number too: then the next page is asked for by a form."""
    same = "\rPV1|1|I|||||||||||||||||V777"
    sent = [message(f"L{n}").replace("\rPV1|1|I", same).encode() for n in range(120)]
    kept = take(database, "his", *sent)
    page = (find(admin, number="V777") if by_form else admin.get("/console/messages")).text
    seen = numbers(page)
    assert len(seen) == 50
    take(database, "his", message("later").encode())
    for _ in range(2):
        if by_form:
            (before,) = re.findall(r'name="before" value="(\d+)"', page)
            page = find(admin, number="V777", before=before).text
        else:
            (link,) = re.findall(r'href="([^"]+)" rel="next"', page)
            page = admin.get(html.unescape(link)).text
        seen += numbers(page)
    assert seen == kept[::-1]


def test_a_replay_needs_a_reason_and_is_logged(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    id_ = str(ids["parked"])
    assert act(admin, action="replay", id=id_, reason=" ").status_code == 400
    assert keep.get(conn, ids["parked"]).state is State.PARKED
    answer = act(admin, action="replay", id=id_, reason="字典已更正")
    assert answer.headers["location"] == f"/console/messages/{id_}"
    assert keep.get(conn, ids["parked"]).state is State.PENDING
    work_off(conn)
    page = admin.get(f"/console/messages/{id_}").text
    assert keep.get(conn, ids["parked"]).state is State.DONE
    assert "字典已更正" in page
    assert row(page, "20")[1] == "admin"


def test_what_was_rejected_is_taken_by_a_replay_once_it_can_be_read(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    """The bytes were not UTF-8 when they came; here the row is made to stand for a message
    that today's settings can read."""
    conn.execute("update message_state set state = 'rejected' where id = %s", (ids["second"],))
    fields = {"action": "replay", "state": "rejected", "source": "his", "reason": "again"}
    page = act(admin, **fields).text
    assert "1 条消息将重新处理" in page
    assert keep.get(conn, ids["second"]).state is State.PENDING
    assert keep.get(conn, ids["rejected"]).state is State.REJECTED


def test_all_that_a_search_found_can_be_replayed_or_ignored_and_the_count_is_told_before(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    page = find(admin, source="lis").text
    assert "重放 1 条" in page
    assert "忽略 2 条" in page
    answer = act(admin, action="ignore", source="lis", reason="联调测试")
    assert "2 条消息已忽略" in answer.text
    assert Counter(line.state for line in keep.find(conn, Choice(source="lis"))) == {
        State.IGNORED: 2
    }
    assert "联调测试" in admin.get("/console").text


def test_an_act_without_a_choice_or_of_another_kind_touches_nothing(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    before = keep.counts(conn)
    for fields in (
        {"action": "replay", "reason": "everything"},
        {"action": "delete", "reason": "x", "source": "his"},
        {"action": "replay", "reason": "x", "id": "1; drop"},
    ):
        assert act(admin, **fields).status_code == 400
        assert keep.counts(conn) == before


def test_an_act_from_another_site_is_refused(
    admin: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    fields = {"action": "replay", "source": "his", "reason": "x", "form_key": "forged"}
    assert admin.post("/console/act", data=fields).status_code == 403
    assert conn.execute("select count(*) from message_log where who = 'admin'").fetchone() == (
        0,
    )


def test_a_doctor_sees_a_message_but_no_console(
    hub: httpx.Client, ids: dict[str, int], conn: psycopg.Connection
) -> None:
    doctor = signed_in(hub, "doctor")
    page = doctor.get(f"/console/messages/{ids['done']}").text
    assert "赵^一" in page
    assert "form_key" in page
    assert "/console/act" not in page
    assert doctor.get("/console").status_code == 403
    assert doctor.get("/console/messages").status_code == 403
    fields = {"action": "ignore", "source": "lis", "reason": "x", "form_key": key_of(page)}
    assert doctor.post("/console/act", data=fields).status_code == 403
    assert keep.get(conn, ids["pending"]).state is State.PENDING


def test_a_very_large_message_is_shown_in_part(
    admin: httpx.Client, database: str, conn: psycopg.Connection
) -> None:
    large = message("B1").encode() + b"OBX|1|TX|A^B||" + b"x" * 3_000_000
    (id_,) = take(database, "his", large)
    page = admin.get(f"/console/messages/{id_}")
    assert len(page.content) < 800_000
    assert "3,000,1" in page.text


def test_every_page_is_whole_in_both_languages(
    admin: httpx.Client, ids: dict[str, int]
) -> None:
    for address in (
        "/console",
        "/console/messages",
        *(f"/console/messages/{i}" for i in ids.values()),
    ):
        for language, word in (("zh", "运行控制台"), ("en", "Console")):
            mark = "&" if "?" in address else "?"
            page = admin.get(f"{address}{mark}lang={language}")
            assert page.status_code == 200
            assert word in page.text


def test_what_was_rejected_without_a_byte_is_shown_with_its_reason(
    admin: httpx.Client, conn: psycopg.Connection
) -> None:
    reason = "207 MLLP over 1000 connections are open"
    said = Incoming("?", b"", clock.now(), "mllp 10.0.0.1", None, reason)
    rows.put(conn, [said])
    (line,) = keep.find(conn, Choice(state=State.REJECTED))
    assert reason in admin.get("/console").text
    page = admin.get(f"/console/messages/{line.id}")
    assert (page.status_code, reason in page.text) == (200, True)
