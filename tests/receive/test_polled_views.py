"""Views of a database: changes, late rows, children, deletions, a cursor that loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from healthhub import cli, clock, keep
from healthhub.adapter_api.tables import Head, RowLine, parse_head, parse_rows
from healthhub.errors import SettingError
from healthhub.keep import rows
from healthhub.receive import polling, tables, views
from healthhub.receive.poll import Poller, TooManyGone
from healthhub.settings import Settings
from tests.tabular.books import mappings

SCHEMA = (
    "create table p (id text, name text, born text, sex text, changed text, deleted text)",
    "create table l (report text, pat text, changed text)",
    "create table r (report text, item text, value text, changed text)",
    "create view {upper}V_PAT{upper} as select * from p",
    "create view {upper}V_LAB{upper} as select * from l",
    "create view {upper}V_RES{upper} as select * from r",
)


class Hospital:
    """The source's database, as the hospital itself writes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url)
        for statement in SCHEMA:
            self.do(statement.format(upper='"'))

    def do(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def person(self, id_: str, name: str, changed: str | None, deleted: str = "0") -> None:
        self.do(
            "insert into p values (:id, :name, '19500101', '1', :changed, :deleted)",
            id=id_,
            name=name,
            changed=changed,
            deleted=deleted,
        )

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def hospital(
    request: pytest.FixtureRequest, tmp_path: Path, server_dsn: str, database: str
) -> Iterator[Hospital]:
    if request.param == "sqlite":
        made = Hospital(f"sqlite:///{tmp_path}/his.db")
        yield made
        made.close()
        return
    # A schema of its own beside the hub's tables: another database costs seconds.
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create schema his")
    parts = conninfo_to_dict(database)
    url = sa.URL.create(
        "postgresql+psycopg",
        username=parts.get("user"),
        password=parts.get("password"),
        database=parts.get("dbname"),
        query={
            "host": str(parts.get("host")),
            "port": str(parts.get("port", 5432)),
            "options": "-csearch_path=his",
        },
    ).render_as_string(hide_password=False)
    made = Hospital(url)
    yield made
    made.close()


class Polled:
    """A hub that polls the hospital once at a time."""

    def __init__(
        self,
        conn: psycopg.Connection,
        folder: Path,
        url: str,
        charset: str = "utf-8",
        **more: Any,
    ) -> None:
        self.conn = conn
        settings = Settings.model_validate(
            {
                "mappings_dir": folder,
                "institutions": {"c": {"title": "县医院"}},
                "sources": {
                    "c": {
                        "institution": "c",
                        "adapter": "tabular",
                        "mapping": "clinic",
                        "charset": charset,
                        "database": {"url": url, "batch": 3, **more},
                    }
                },
            }
        )
        source = settings.sources["c"]
        assert source.database is not None
        self.poller = Poller(source.database, tables.taker(settings, "c"))

    def poll(self, *, sweep: bool = False) -> tuple[int, int]:
        counts = self.poller.poll(self.conn, sweep=sweep)
        return counts.kept, counts.rejected

    def messages(self) -> list[tuple[Head, list[RowLine]]]:
        ids = self.conn.execute("select id from message order by id").fetchall()
        found = [keep.get(self.conn, id_).raw for (id_,) in ids]
        return [(parse_head(raw), parse_rows(raw)) for raw in found]


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with tables.connected(database) as opened:
        yield opened


@pytest.fixture
def polled(conn: psycopg.Connection, tmp_path: Path, hospital: Hospital) -> Iterator[Polled]:
    made = Polled(conn, mappings(tmp_path / "m"), hospital.url, withdraw_missing=True)
    yield made
    made.poller.close()


def test_what_changed_is_read_and_what_did_not_is_nothing(
    polled: Polled, hospital: Hospital
) -> None:
    for n in range(8):
        hospital.person(str(n), f"某{n}", f"2024030{n + 1}08:00:00")
    assert polled.poll() == (8, 0)
    assert polled.poll() == (0, 0)
    hospital.do("update p set name = '新名', changed = '2024030908:00:00' where id = '3'")
    assert polled.poll() == (1, 0)
    head, (row,) = polled.messages()[-1]
    assert (head.key, head.revision, head.at) == (("3",), 2, "2024-03-09T08:00:00+08:00")
    assert row.cells["name"] == "新名"


def test_a_row_behind_the_cursor_is_found_by_overlap_or_by_the_reading_of_all(
    polled: Polled, hospital: Hospital
) -> None:
    hospital.person("1", "先", "2024-03-01 08:00:00")
    polled.poll()
    hospital.person("2", "晚五分钟", "2024-03-01 07:55:00")
    assert polled.poll() == (1, 0)
    hospital.person("3", "晚一天", "2024-02-28 08:00:00")
    hospital.person("4", "无时间", None)
    assert polled.poll() == (0, 0)
    assert polled.poll(sweep=True) == (2, 0)


def test_a_row_dated_far_ahead_hides_none_that_come_after_it(
    polled: Polled, hospital: Hospital
) -> None:
    hospital.person("1", "远", "2099-12-31 00:00:00")
    polled.poll()
    now = clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
    hospital.person("2", "后来", f"{now:%Y-%m-%d %H:%M:%S}")
    assert polled.poll() == (1, 0)


def test_a_child_that_changes_alone_brings_its_whole_parent(
    polled: Polled, hospital: Hospital
) -> None:
    hospital.do("insert into l values ('R1', '1', '2024-03-01 08:00:00')")
    for item in ("GLU", "K"):
        hospital.do("insert into r values ('R1', :i, '5.0', '2024-03-01 08:00:00')", i=item)
    assert polled.poll() == (1, 0)
    hospital.do(
        "update r set value = '6.1', changed = '2024-03-02 08:00:00' where item = 'GLU'"
    )
    assert polled.poll() == (1, 0)
    head, lines = polled.messages()[-1]
    assert head.key == ("R1",)
    assert [line.cells.get("value") for line in lines] == [None, "6.1", "5.0"]
    hospital.do("delete from r where item = 'K'")
    hospital.do("update l set changed = '2024-03-03 08:00:00'")
    polled.poll()
    _, lines = polled.messages()[-1]
    assert [(line.cells.get("item"), line.gone) for line in lines] == [
        (None, False),
        ("GLU", False),
        ("K", True),
    ]


def test_a_deletion_is_marked_or_found_by_comparison_and_can_be_taken_back(
    polled: Polled, hospital: Hospital
) -> None:
    for n in range(3):
        hospital.person(str(n), f"某{n}", "2024-03-01 08:00:00")
    polled.poll()
    hospital.do("update p set deleted = '1', changed = '2024-03-02 08:00:00' where id = '0'")
    assert polled.poll() == (1, 0)
    assert polled.messages()[-1][0].gone
    hospital.do("delete from p where id = '1'")
    assert polled.poll(sweep=True) == (1, 0)
    head, (row,) = polled.messages()[-1]
    assert (head.key, head.patient, head.gone, head.at) == (("1",), "1", True, "")
    assert (row.cells["name"], row.gone) == ("某1", True)
    assert polled.poll(sweep=True) == (0, 0)
    hospital.person("1", "某1", "2024-03-01 08:00:00")
    assert polled.poll(sweep=True) == (1, 0)
    back = polled.messages()[-1][0]
    assert (back.gone, back.at, back.revision) == (False, "", 3)


def test_a_view_that_is_empty_all_at_once_withdraws_nothing(
    polled: Polled, hospital: Hospital
) -> None:
    for n in range(60):
        hospital.person(str(n), "某", "2024-03-01 08:00:00")
    polled.poll()
    hospital.do("delete from p")
    with pytest.raises(TooManyGone, match="60 of 60 rows"):
        polled.poll(sweep=True)
    assert len(polled.messages()) == 60


def test_a_row_without_key_is_rejected_by_name_of_its_view_and_column(
    polled: Polled, hospital: Hospital
) -> None:
    hospital.person("", "无号", "2024-03-01 08:00:00")
    hospital.person("1", "有号", "2024-03-01 08:00:00")
    assert polled.poll() == (1, 2)  # once by change and once by the reading of all
    assert polled.conn.execute("select count(*) from message").fetchone() == (2,)
    found = polled.conn.execute("select detail from message_finding").fetchone()
    assert found is not None
    assert "V_PAT column id" in found[0]


def test_rows_and_cursor_are_kept_together_or_not_at_all(
    polled: Polled, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(7):
        hospital.person(str(n), f"某{n}", f"2024-03-0{n + 1} 08:00:00")
    real, calls = rows.advance, []

    def dies(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise psycopg.OperationalError("the connection is gone")
        real(*arguments)

    monkeypatch.setattr(rows, "advance", dies)
    with pytest.raises(psycopg.OperationalError):
        polled.poll()
    assert len(polled.messages()) == 3
    assert rows.cursor(polled.conn, "c", "PAT").position == "s2024-03-03 08:00:00"
    polled.poll()
    assert [head.key for head, _ in polled.messages()] == [(str(n),) for n in range(7)]


def test_the_source_can_only_be_read(polled: Polled) -> None:
    with polled.poller._engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("delete from p"))


def test_a_view_that_lacks_a_column_is_told_by_name(polled: Polled, hospital: Hospital) -> None:
    hospital.do('drop view "V_PAT"')
    hospital.do('create view "V_PAT" as select id, name, born, sex, deleted from p')
    with pytest.raises(SettingError, match="V_PAT has no column changed"):
        polled.poll()
    hospital.do('drop view "V_PAT"')
    with pytest.raises(SettingError, match="no view V_PAT"):
        polled.poll()


def test_a_database_that_is_away_is_a_problem_that_goes_when_it_is_back(
    database: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    folder = mappings(tmp_path / "m")
    away = tmp_path / "away"
    polled = Polled(conn, folder, f"sqlite:///{away}/his.db")
    rows.advance(conn, "c", "PAT", rows.Cursor())
    problem = polling.once("c", polled.poller.poll, database)
    assert "OperationalError" in problem
    assert rows.cursor(conn, "c", "PAT").problem == problem
    away.mkdir()
    Hospital(f"sqlite:///{away}/his.db").close()
    assert polling.once("c", polled.poller.poll, database) == ""
    assert rows.cursor(conn, "c", "PAT").problem == ""
    polled.poller.close()


def test_the_command_takes_one_turn_and_says_how_it_went(
    database: str,
    tmp_path: Path,
    hospital: Hospital,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = mappings(tmp_path / "m")
    (tmp_path / "url").write_text(hospital.url, encoding="utf-8")
    (tmp_path / "hub.toml").write_text(
        f'mappings_dir = "{folder}"\n[institutions.c]\ntitle = "县医院"\n[sources.c]\n'
        'institution = "c"\nadapter = "tabular"\nmapping = "clinic"\n'
        f'[sources.c.database]\nurl_file = "{tmp_path}/url"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(tmp_path / "hub.toml"))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    assert cli.main(["poll", "--once"]) == 0
    assert capsys.readouterr().out == "c: read\n"
    hospital.do('drop view "V_PAT"')
    assert cli.main(["poll", "--once", "c"]) == 1
    assert "no view V_PAT" in capsys.readouterr().out
    assert cli.main(["poll", "--once", "x"]) == 2


def test_a_fault_of_one_source_ends_no_loop_and_quotes_nothing(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop, turns = threading.Event(), []

    def turn(_: psycopg.Connection) -> None:
        turns.append(1)
        if len(turns) == 3:
            stop.set()
        raise ZeroDivisionError("secret 王伟")

    polling.loop("c", turn, 0.001, database, stop)
    assert len(turns) == 3
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_a_source_that_cannot_begin_hinders_no_other(
    database: str, tmp_path: Path, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    folder = mappings(tmp_path / "m")
    common = {"institution": "c", "adapter": "tabular", "database": {"url": hospital.url}}
    settings = Settings.model_validate(
        {
            "mappings_dir": folder,
            "institutions": {"c": {"title": "县医院"}},
            "sources": {
                "bad": {**common, "mapping": "nowhere"},
                "good": {**common, "mapping": "clinic"},
            },
        }
    )
    hospital.person("1", "周莲", "2024-03-01 08:00:00")
    stop = threading.Event()
    threads = [
        threading.Thread(target=polling.source, args=(settings, name, database, stop))
        for name in polling.declared(settings)
    ]
    for thread in threads:
        thread.start()
    try:
        with psycopg.connect(database, autocommit=True) as conn:
            for _ in range(400):
                if conn.execute("select count(*) from message").fetchone() == (1,):
                    break
                threading.Event().wait(0.05)
            else:
                raise AssertionError("nothing came of the good source")
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert "source=bad cannot begin" in caplog.text
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize(
    ("value", "before"),
    [
        ("2024030108:15:00", "2024030108:05:00"),
        ("20240301081500", "20240301080500"),
        ("20240301", "20240229"),
        ("2024-03-01 00:05:00", "2024-02-29 23:55:00"),
        ("2024/03/01", "2024/02/29"),
        (datetime(2024, 3, 1, 0, 5), datetime(2024, 2, 29, 23, 55)),  # noqa: DTZ001
        (100, 90),
        ("AB12", "AB12"),
    ],
)
def test_the_overlap_keeps_the_form_of_the_column(value: Any, before: Any) -> None:
    assert views.earlier(value, 600, 10) == before


@given(
    st.datetimes()
    | st.dates()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(min_size=1)
    | st.text(min_size=1)
)
def test_the_cursor_gives_back_what_it_was_given(value: Any) -> None:
    found = views.unpacked(views.packed(value))
    assert found == value
    if not isinstance(value, Decimal):
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("charset", "raw", "read"),
    [
        ("gb18030", "沈　岚".encode("gbk"), "沈　岚"),
        ("gb18030", "沈岚".encode(), "沈岚"),
        ("utf-8", "沈岚".encode(), "沈岚"),
        ("utf-8", "沈岚".encode("gbk"), "���"),
    ],
)
def test_text_that_comes_as_bytes_is_read_in_the_charset_of_the_source(
    conn: psycopg.Connection, tmp_path: Path, charset: str, raw: bytes, read: str
) -> None:
    hospital = Hospital(f"sqlite:///{tmp_path}/his.db")
    hospital.do("insert into p values ('1', :name, '19500101', '1', '20240301', '0')", name=raw)
    polled = Polled(conn, mappings(tmp_path), hospital.url, charset=charset)
    assert polled.poll() == (1, 0)
    [(_, [row])] = polled.messages()
    assert row.cells["name"] == read
    hospital.close()
