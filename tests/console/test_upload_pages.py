"""A file is uploaded in the console as a part-time administrator does it: checked, then taken."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from serving import answering

from healthhub import keep
from healthhub.access import Role, accounts
from healthhub.keep import uploads
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.receive import unpacking, uploading
from healthhub.serve.console import uploads as pages
from healthhub.settings import PACKAGE_ROOT, Settings
from tests.console.conftest import PASSWORD, key_of, signed_in
from tests.receive.test_mllp_listener import message

SETTINGS = Settings.model_validate(
    {
        "institutions": {"p": {"title": "桥头镇卫生院"}},
        "sources": {
            "town": {
                "institution": "p",
                "adapter": "tabular",
                "mapping": "township-p",
                "title": "桥头镇卫生院 公共卫生",
            },
            "his": {"institution": "p", "mapping": "national/hl7v2"},
        },
    }
)
SAMPLES = PACKAGE_ROOT / "mappings" / "township-p" / "samples"
REGISTER = "个人档案.csv"
ROWS = (SAMPLES / "个人档案.gb18030.csv").read_bytes().decode("gb18030").encode()
"""Three residents below two lines of titles and above a sum."""


@pytest.fixture
def admin(database: str) -> Iterator[httpx.Client]:
    with psycopg.connect(database, autocommit=True) as conn:
        accounts.add(conn, "admin", PASSWORD, [Role.ADMIN], "林管理")
        accounts.add(conn, "doctor", PASSWORD, [Role.CLINICIAN], "周医生")
        accounts.add(conn, "other", PASSWORD, [Role.ADMIN], "何管理")
    with answering(build_app(SETTINGS, database)) as client:
        yield signed_in(client, "admin")


def send(
    client: httpx.Client, content: bytes, name: str = REGISTER, source: str = "town"
) -> httpx.Response:
    key = key_of(client.get("/console/upload").text)
    return client.post(
        "/console/upload",
        data={"form_key": key, "source": source},
        files={"file": (name, content)},
    )


def number(page: str) -> int:
    (found,) = re.findall(r"/console/uploads/(\d+)/take", page)
    return int(found)


def take(client: httpx.Client, upload: int) -> httpx.Response:
    key = key_of(client.get("/console/upload").text)
    return client.post(f"/console/uploads/{upload}/take", data={"form_key": key})


def told(page: str, name: str) -> str:
    """A fact of the check's page."""
    (found,) = re.findall(rf"<dt>{re.escape(name)}</dt><dd[^>]*>(.*?)</dd>", page)
    return found


def zipped(members: dict[str, bytes], *, charset: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.encode(charset).decode("cp437") if charset else name, content)
    return packed.getvalue()


def test_a_file_is_checked_without_keeping_anything_then_taken_once(
    admin: httpx.Client, conn: psycopg.Connection, database: str
) -> None:
    page = send(admin, ROWS).text
    assert told(page, "可接收的消息（行）") == "3"
    assert told(page, "其中没有新内容") == "1", "a deregistered resident nobody knew"
    assert told(page, "种类") == "PER 3"
    assert "Patient.birthDate" in page
    assert "Widowed W" in page, "a coded value as words, not as a structure"
    assert "日期有误" in page
    assert keep.counts(conn).total == 0, "a check keeps no message"
    upload = number(page)
    for _ in range(2):
        assert take(admin, upload).headers["location"] == "/console/upload"
    assert uploading.work(conn, SETTINGS, database)
    assert not uploading.work(conn, SETTINGS, database)
    assert keep.counts(conn, "town").by_state[State.PENDING] == 2
    assert "新 2，无变化 1，拒收 0" in admin.get("/console/upload").text
    assert conn.execute("select content from upload").fetchone() == (None,)
    again = send(admin, ROWS).text
    assert told(again, "其中没有新内容") == "3"


def test_what_cannot_be_taken_is_named_by_row_and_column_before_it_is_sent(
    admin: httpx.Client, conn: psycopg.Connection
) -> None:
    page = send(admin, ROWS.replace(b"E000000000000000000000000000P002", b"")).text
    assert told(page, "不能接收") == "1"
    assert re.search(r"个人档案.csv row 5.*empiId", page, re.DOTALL)
    assert re.search(r"<td>[^<]*[\u4e00-\u9fff]+[^<]* / column empiId is empty", page)
    page = send(admin, "甲,乙,丙\n1,2,3\n".encode()).text
    assert "没有可接收的内容" in page
    assert "/take" not in page
    page = send(admin, b"\x00\x01\x02 no table", "x.xlsx").text
    assert told(page, "可接收的消息（行）") == "0"


def test_messages_and_zips_of_files_are_taken_too(
    admin: httpx.Client, conn: psycopg.Connection, database: str
) -> None:
    batch = "".join(message(f"U{n}") for n in range(3)).encode()
    page = send(admin, batch + b"MSH|broken", "day.hl7", "his").text
    assert (told(page, "可接收的消息（行）"), told(page, "不能接收")) == ("3", "1")
    assert told(page, "种类") == "ADT^A01 3"
    take(admin, number(page))
    assert uploading.work(conn, SETTINGS, database)
    assert keep.counts(conn, "his").by_state[State.PENDING] == 3
    packed = zipped(
        {
            "三月/个人档案.csv": ROWS,
            "三月/检验结果.csv": (SAMPLES / "检验结果.csv").read_bytes(),
        },
        charset="gbk",
    )
    page = send(admin, packed, "三月.zip").text
    assert told(page, "文件数") == "2"
    assert told(page, "种类") == "PER 3; ITM 2"
    take(admin, number(page))
    assert uploading.work(conn, SETTINGS, database)
    assert keep.counts(conn, "town").total == 4


ZIPS = [
    ({"a.zip": b"PK"}, 400, "unpack it first"),
    ({"../../etc/个人档案.csv": ROWS}, 200, "种类"),
    ({f"{n}.csv": b"x" for n in range(6)}, 413, "divide it"),
    ({"个人档案.csv": b"0" * 2_000_000}, 413, "divide it"),
]


@pytest.mark.parametrize(("members", "status", "said"), ZIPS)
def test_a_zip_is_bounded_by_what_it_really_holds(
    admin: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    members: dict[str, bytes],
    status: int,
    said: str,
) -> None:
    monkeypatch.setattr(unpacking, "MOST_FILES", 5)
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(unpacking, "BLOCK", 2**16)
    answer = send(admin, zipped(members), "x.zip")
    assert answer.status_code == status
    assert said in answer.text


def test_no_zip_and_no_choice_are_refused_with_advice(admin: httpx.Client) -> None:
    assert send(admin, b"not a zip", "x.zip").status_code == 400
    assert send(admin, b"", REGISTER).status_code == 400
    assert send(admin, ROWS, source="nobody").status_code == 400
    key = key_of(admin.get("/console/upload").text)
    assert (
        admin.post("/console/upload", data={"form_key": key, "source": "town"}).status_code
        == 400
    )


def test_only_who_checked_a_file_takes_it_and_only_who_operates_uploads(
    admin: httpx.Client, conn: psycopg.Connection
) -> None:
    upload = number(send(admin, ROWS).text)
    forged = admin.post(f"/console/uploads/{upload}/take", data={"form_key": "forged"})
    assert forged.status_code == 403
    assert take(signed_in(admin, "other"), upload).status_code == 404
    doctor = signed_in(admin, "doctor")
    assert doctor.get("/console/upload").status_code == 403
    assert uploads.listed(conn)[0].state == "checked"


def test_a_check_ends_in_time_and_says_that_it_saw_a_part(
    admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "20 秒" not in send(admin, ROWS).text
    monkeypatch.setattr(uploading, "CHECK_SECONDS", 0)
    page = send(admin, ROWS).text
    assert "只是 20 秒内看过的部分" in page
    assert told(page, "可接收的消息（行）") == "0"


def test_a_third_check_at_once_is_put_off(
    admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_CHECKS", asyncio.Semaphore(0))
    assert send(admin, ROWS).status_code == 503


def test_a_file_that_is_not_taken_is_let_go_after_an_hour(
    admin: httpx.Client, conn: psycopg.Connection
) -> None:
    upload = number(send(admin, ROWS).text)
    assert uploads.expire(conn) == 0
    conn.execute("update upload set changed = now() - interval '61 min'")
    assert uploads.expire(conn) == 1
    assert conn.execute("select content from upload").fetchone() == (None,)
    assert take(admin, upload).status_code == 409


def test_what_is_uploaded_is_audited_without_its_name(
    admin: httpx.Client, conn: psycopg.Connection
) -> None:
    upload = number(send(admin, ROWS, "柳月 体检.csv").text)
    take(admin, upload)
    said = [query for (query,) in conn.execute("select query from audit_event order by at")]
    assert "check upload for town" in said
    assert f"take upload {upload}" in said
    assert not [query for query in said if query and "柳月" in query]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_are_whole_in_both_languages(admin: httpx.Client, language: str) -> None:
    admin.get(f"/console/upload?lang={language}")
    assert send(admin, ROWS).status_code == 200


def test_a_long_name_keeps_no_file_out(admin: httpx.Client, conn: psycopg.Connection) -> None:
    name = "慢病随访" * 40 + ".csv"
    assert "可接收的消息（行）" in send(admin, ROWS, name).text
    assert "可接收的消息（行）" in send(admin, zipped({name: ROWS}), "病" * 130 + ".zip").text
    assert {each.name[-4:] for each in uploads.listed(conn)} == {".csv", ".zip"}


def test_a_damaged_zip_is_refused_with_advice(admin: httpx.Client) -> None:
    whole = zipped({REGISTER: ROWS * 20})
    middle = len(whole) // 2
    damaged = whole[: middle - 40] + b"\xff" * 80 + whole[middle + 40 :]
    assert send(admin, damaged, "x.zip").status_code == 400


def test_a_file_at_which_the_hub_fails_holds_up_no_other(
    admin: httpx.Client,
    conn: psycopg.Connection,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        take(admin, number(send(admin, ROWS).text))
    real, failing = uploading.Uploads.take, iter((True, False))

    def taking(self: uploading.Uploads, *given: Any) -> dict[str, Any]:
        if next(failing):
            raise KeyError("a fault")
        return real(self, *given)

    monkeypatch.setattr(uploading.Uploads, "take", taking)
    while uploading.work(conn, SETTINGS, database):
        pass
    assert [each.state for each in uploads.listed(conn)] == ["taken", "failed"]
    assert "tell its administrator" in admin.get("/console/upload").text
