"""Files of tables by POST, by command and in a watched folder: kept once, corrected, explained."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from healthhub import cli, keep
from healthhub.adapter_api.tables import parse_head, parse_rows
from healthhub.convert import Converter
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.mapping.library import Library
from healthhub.model.ids import derive
from healthhub.model.message import State
from healthhub.pipeline import process
from healthhub.receive.folder import Watch
from healthhub.receive.tables import connected, taker
from healthhub.settings import Folder, Settings
from healthhub.store import query, reads
from tests.serving import answering
from tests.tabular.books import mappings, workbook

TOKEN = "a-token-for-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HEADER = "编号,姓名,性别,修改时间,删除\n"


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "mappings_dir": mappings(tmp_path / "mappings"),
            "institutions": {"c": {"title": "桥头镇卫生院"}},
            "sources": {
                "c": {
                    "institution": "c",
                    "adapter": "tabular",
                    "mapping": "clinic",
                    "charset": "gb18030",
                    "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
                    "folder": {"path": tmp_path / "in", "settle_seconds": 0},
                }
            },
        }
    )


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with connected(database) as opened:
        yield opened


def feed(
    conn: psycopg.Connection, hub: Settings, path: Path, body: str
) -> tuple[int, int, int]:
    path.write_bytes(body.encode("gb18030"))
    counts = taker(hub, "c").file(conn, path, path.name, "file").counts
    return counts.kept, counts.unchanged, counts.rejected


def work(conn: psycopg.Connection, hub: Settings) -> None:
    """Convert and store all that waits."""
    library = Library(hub.mappings_dir)
    converters = {"c": Converter("c", hub.sources["c"], library)}
    process(conn, keep.claim(conn, range(256), 500), converters, 3)


def person(conn: psycopg.Connection, number: str = "1") -> dict[str, Any]:
    """A patient as stored."""
    key = derive("c", "Patient", number)
    return orjson.loads(query.fetch(conn, reads.by_id("Patient", key)).json)


def pending(conn: psycopg.Connection, state: State = State.PENDING) -> int:
    return keep.counts(conn).by_state.get(state, 0)


def raws(conn: psycopg.Connection) -> list[bytes]:
    ids = conn.execute("select id from message order by id").fetchall()
    return [keep.get(conn, id_).raw for (id_,) in ids]


def test_the_same_rows_again_are_nothing_and_a_changed_one_is_a_revision(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "患者.csv"
    body = HEADER + "1,周莲,女,,\n2,吴大有,男,,\n"
    assert feed(conn, hub, path, body) == (2, 0, 0)
    assert feed(conn, hub, tmp_path / "患者2.csv", body) == (0, 2, 0)
    assert feed(conn, hub, path, body.replace("吴大有,男", "吴大友,")) == (1, 1, 0)
    changed = raws(conn)[-1]
    assert parse_head(changed).revision == 2
    assert parse_rows(changed)[0].cells == {"编号": "2", "姓名": "吴大友", "性别": None}


def test_what_is_corrected_there_and_back_is_as_it_was_sent_last(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "患者.csv"
    for name in ("周莲", "周连", "周莲"):
        assert feed(conn, hub, path, f"{HEADER}1,{name},女,,\n") == (1, 0, 0)
    assert len(set(raws(conn))) == 3


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("2024/3/1", "2024/3/2", "新名"),
        ("2024/3/2", "2024/3/1", "旧名"),  # an older statement does not overwrite a newer one
        ("", "", "新名"),
    ],
)
def test_the_later_statement_is_believed(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path, first: str, second: str, name: str
) -> None:
    path = tmp_path / "患者.csv"
    feed(conn, hub, path, f"{HEADER}1,旧名,女,{first},\n")
    feed(conn, hub, path, f"{HEADER}1,新名,女,{second},\n")
    work(conn, hub)
    assert person(conn)["name"][0]["text"] == name


def test_a_cell_that_was_emptied_is_erased_and_a_deleted_row_withdrawn(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "患者.csv"
    feed(conn, hub, path, f"{HEADER}1,周莲,女,,\n")
    feed(conn, hub, path, f"{HEADER}1,周莲,,,\n")
    work(conn, hub)
    assert "gender" not in person(conn)
    feed(conn, hub, path, f"{HEADER}1,周莲,,,1\n")
    work(conn, hub)
    assert person(conn)["active"] is False


def test_an_element_is_explained_by_the_very_cell(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    feed(conn, hub, tmp_path / "患者.csv", f"{HEADER}1,周莲,女,2024/3/1,\n")
    (message,) = keep.claim(conn, range(256), 1)
    converter = Converter("c", hub.sources["c"], Library(hub.mappings_dir))
    elements = converter.explain(message.id, message.raw, message.received)
    (gender,) = [each for each in elements if each.element == "gender"]
    assert gender.paths == ("PAT[1]-性别",)
    ((start, end),) = gender.spans
    assert message.raw[start:end].decode() == "女"
    assert keep.via(conn, message.id) == "file 患者.csv row 2"


def test_a_bad_cell_is_a_finding_with_its_column(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "患者.csv"
    feed(conn, hub, path, "编号,姓名,性别,出生日期\n1,周莲,X,2024/13/1\n")
    work(conn, hub)
    row = conn.execute(
        "select code, place, value from message_finding order by code"
    ).fetchall()
    assert row == [("bad-date", "PAT-born", "2024/13/1"), ("unknown-code", "PAT-sex", "X")]


@pytest.fixture
def client(database: str, hub: Settings) -> Iterator[httpx.Client]:
    with answering(build_app(hub, database)) as opened:
        yield opened


def post(client: httpx.Client, body: bytes, **params: str) -> httpx.Response:
    return client.post("/feeds/c/tabular", content=body, headers=HEADERS, params=params)


def test_an_upload_is_answered_when_its_rows_are_durable(
    client: httpx.Client, conn: psycopg.Connection, tmp_path: Path
) -> None:
    rows = [["编号", "姓名"], *([n, f"某{n}"] for n in range(1200))]
    body = workbook(tmp_path / "x.xlsx", ("患者", rows)).read_bytes()
    answer = post(client, body, file="一季度.xlsx")
    assert answer.status_code == 200
    assert answer.json() == {
        "outcome": "accept",
        "kept": 1200,
        "unchanged": 0,
        "rejected": 0,
        "refused": [],
    }
    assert pending(conn) == 1200
    assert post(client, body).json()["unchanged"] == 1200


def test_a_long_name_of_a_file_keeps_it_not_out(client: httpx.Client) -> None:
    answer = post(client, "编号,姓名\n1,周莲\n".encode(), file="病" * 120 + "患者.csv")
    assert answer.status_code < 500


def test_an_upload_names_what_it_refuses_and_keeps_the_rest(
    client: httpx.Client, conn: psycopg.Connection
) -> None:
    answer = post(client, "编号,姓名\n1,周莲\n,无号\n".encode(), file="../患者.csv")
    assert answer.status_code == 422
    said = answer.json()
    assert (said["kept"], said["rejected"]) == (1, 1)
    assert said["refused"][0]["place"] == "患者.csv row 3 column id"
    found = conn.execute(
        "select detail from message_finding where code = 'rejected'"
    ).fetchone()
    assert found is not None
    assert "患者.csv row 3 column id" in found[0]


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"PK\x03\x04broken", 422), (b"\xff\xff\xff\xfe", 422)]
)
def test_an_upload_that_is_no_table_is_refused_and_its_bytes_kept(
    client: httpx.Client, conn: psycopg.Connection, body: bytes, status: int
) -> None:
    assert post(client, body).status_code == status
    assert raws(conn) == ([body] if body else [])


def test_an_upload_needs_the_token_of_its_source(client: httpx.Client) -> None:
    assert client.post("/feeds/c/tabular", content=b"x").status_code == 401


def test_a_file_in_the_folder_is_taken_once_and_moved(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    place = tmp_path / "in"
    place.mkdir()
    watch = Watch(Folder(path=place, settle_seconds=0), taker(hub, "c"))
    (place / "患者.csv").write_text("编号,姓名\n1,周莲\n", encoding="utf-8")
    (place / "患者.csv.part").write_text("编号", encoding="utf-8")
    (place / "bad.csv").write_text("x\n1\n", encoding="utf-8")
    assert watch.look(conn) == 2
    left = sorted(p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file())
    assert left == [
        "done/患者.csv",
        "failed/bad.csv",
        "failed/bad.csv.findings.txt",
        "患者.csv.part",
    ]
    assert "no row of the first" in (place / "failed/bad.csv.findings.txt").read_text("utf-8")
    assert (pending(conn), pending(conn, State.REJECTED)) == (1, 1)
    assert watch.look(conn) == 0


def test_a_link_in_the_folder_leads_nowhere(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    place = tmp_path / "in"
    place.mkdir()
    (tmp_path / "secret.csv").write_text("编号,姓名\n1,周莲\n", encoding="utf-8")
    (place / "患者.csv").symlink_to(tmp_path / "secret.csv")
    watch = Watch(Folder(path=place, settle_seconds=0), taker(hub, "c"))
    assert watch.look(conn) == 0
    assert pending(conn) == 0


def test_a_file_still_being_written_is_left_alone(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    place = tmp_path / "in"
    place.mkdir()
    watch = Watch(Folder(path=place, settle_seconds=3600), taker(hub, "c"))
    (place / "患者.csv").write_text("编号,姓名\n1,周莲\n", encoding="utf-8")
    assert watch.look(conn) == 0
    assert (place / "患者.csv").exists()


def test_the_feed_command_takes_files_and_says_what_became_of_them(
    database: str,
    hub: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    toml = tmp_path / "healthhub.toml"
    toml.write_text(
        f'mappings_dir = "{hub.mappings_dir}"\n[institutions.c]\ntitle = "桥头镇卫生院"\n'
        '[sources.c]\ninstitution = "c"\nadapter = "tabular"\nmapping = "clinic"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("HEALTHHUB_SETTINGS", os.fspath(toml))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    path = tmp_path / "患者.csv"
    path.write_text("编号,姓名\n1,周莲\n,无号\n", encoding="utf-8")
    assert cli.main(["load", "c", str(path), "--processes", "1"]) == 1
    said = capsys.readouterr().out
    assert "1 done, 0 known before, 0 parked, 1 rejected" in said
    assert "患者.csv row 3 column id" in said


def test_the_choice_of_one_row_finds_its_message(
    conn: psycopg.Connection, hub: Settings, tmp_path: Path
) -> None:
    feed(conn, hub, tmp_path / "患者.csv", f"{HEADER}1,周莲,女,,\n2,吴,男,,\n")
    work(conn, hub)
    (first, _) = conn.execute("select id from message order by id").fetchall()
    choice = Choice(ids=(first[0],))
    assert keep.replay(conn, choice, who="t", reason="one row") == 1
    assert pending(conn) == 1
