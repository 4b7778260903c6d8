"""From a history to the live feed: no gap, no double, nobody in the other's way."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench import histories
from healthhub import cli, keep
from healthhub.errors import Conflict, InvalidRequest, NotFound, TryAgain
from healthhub.keep import loads
from healthhub.load import crew, load
from healthhub.load.progress import Progress
from healthhub.receive import tables
from healthhub.receive.poll import Poller
from healthhub.settings import Settings
from tests.load.hubs import MAPPINGS, loaded, settings
from tests.pipeline.test_chain import message
from tests.receive.test_polled_views import Hospital
from tests.tabular.books import mappings


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(f"sqlite:///{tmp_path}/his.db")
    yield made
    made.close()


def clinic(folder: Path) -> Settings:
    of = settings(
        c={
            "adapter": "tabular",
            "mapping": "clinic",
            "database": {"url": f"sqlite:///{folder}/his.db", "batch": 4},
        }
    )
    return of.model_copy(update={"mappings_dir": mappings(folder / "m")})


def count(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        return keep.counts(conn).total


def poll(of: Settings, dsn: str) -> int:
    database = of.sources["c"].database
    assert database is not None
    poller = Poller(database, tables.taker(of, "c"))
    try:
        with tables.connected(dsn) as conn:
            return poller.poll(conn).kept
    finally:
        poller.close()


def test_the_poller_goes_on_where_the_load_ended(
    hospital: Hospital, tmp_path: Path, database: str
) -> None:
    of = clinic(tmp_path)
    for n in range(30):
        hospital.person(str(n), f"某{n}", f"202403{n % 28 + 1:02}08:00:00")
    hospital.person("timeless", "某", None)
    assert loaded(of, database, {"c": []}).done == 31
    assert poll(of, database) == 0
    hospital.person("new", "新", "2024040108:00:00")
    hospital.do("update p set name = '改', changed = '2024040109:00:00' where id = '3'")
    assert poll(of, database) == 2
    assert count(database) == 33


def test_what_comes_while_a_load_reads_is_in_exactly_once(
    hospital: Hospital, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each portion that is taken makes the hospital write one more row, ahead of the cursor and
    behind it by turns; the poller finds what the load did not."""
    of = clinic(tmp_path)
    with sqlite3.connect(tmp_path / "his.db") as store:
        store.execute("pragma journal_mode = wal")  # who reads does not stop who writes
    store.close()
    for n in range(40):
        hospital.person(str(n), f"某{n}", f"202403{n % 28 + 1:02}08:00:00")
    more = iter(range(1000))

    def told(self: Progress, outcome: object) -> None:
        n = next(more)
        when = f"2024040108:00:{n:02}" if n % 2 else f"2024030108:00:{n:02}"
        hospital.person(f"more{n}", "新", when)

    monkeypatch.setattr(crew, "ITEMS", 4)
    monkeypatch.setattr(Progress, "tell", told)
    loaded(of, database, {"c": []})
    with tables.connected(database) as conn:
        database_of = of.sources["c"].database
        assert database_of is not None
        poller = Poller(database_of, tables.taker(of, "c"))
        poller.poll(conn, sweep=True)
        poller.close()
    assert next(more) > 5
    with psycopg.connect(database) as conn:
        held = conn.execute("select count(*), max(revision) from source_row").fetchone()
    rows = _rows(hospital)
    assert held == (rows, 1)
    assert count(database) == rows


def _rows(hospital: Hospital) -> int:
    import sqlalchemy as sa

    engine = sa.create_engine(hospital.url)
    with engine.connect() as connection:
        found = connection.execute(sa.text("select count(*) from p")).scalar_one()
    engine.dispose()
    return found


def test_a_poller_stands_aside_while_a_load_has_its_source(
    hospital: Hospital, tmp_path: Path, database: str
) -> None:
    of = clinic(tmp_path)
    hospital.person("1", "某", "2024030108:00:00")
    with tables.connected(database) as conn:
        assert loads.begin(conn, "c")
        with pytest.raises(TryAgain, match="a load has the source's history"):
            poll(of, database)
        with pytest.raises(Conflict, match="another load of c is running"):
            load(of, "c", [], database, 1, Progress(io.StringIO()))
    assert poll(of, database) == 1


def test_a_message_of_the_live_feed_is_not_taken_again_from_the_history(
    tmp_path: Path, database: str
) -> None:
    raws = [message("ADT^A01", f"2026030{n}").encode() for n in range(1, 4)]
    of = settings(his={"mapping": "national/hl7v2"})
    (tmp_path / "live.hl7").write_bytes(raws[2])
    (tmp_path / "all.hl7").write_bytes(b"\n".join(raws))
    assert loaded(of, database, {"his": [tmp_path / "live.hl7"]}, 1).done == 1
    later = loaded(of, database, {"his": [tmp_path / "all.hl7"]}, 1)
    assert (later.done, later.known) == (2, 1)


def test_archives_and_lines_hold_the_same_messages_as_files(
    tmp_path: Path, database: str
) -> None:
    raws = [message("ADT^A01", f"2026030{n}") for n in range(1, 6)]
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/1.hl7", raws[0])
        archive.writestr("deep/.hidden", raws[0] + "x")
    (folder / "b.hl7.gz").write_bytes(gzip.compress(raws[1].encode()))
    (folder / "c.ndjson").write_text(
        json.dumps(raws[2]) + "\n" + json.dumps({"message": raws[3]}) + "\n{broken\n"
    )
    (folder / "d.hl7.part").write_text(raws[4])
    of = settings(his={"mapping": "national/hl7v2"})
    outcome = loaded(of, database, {"his": [folder]}, 1)
    assert (outcome.done, outcome.rejected) == (4, 1)
    assert loaded(of, database, {"his": [folder]}, 1).skipped == 3


def test_tables_in_an_archive_are_read(tmp_path: Path, database: str) -> None:
    histories.files(tmp_path / "in", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "in").iterdir():
            archive.write(path, path.name)
    of = settings(p={"adapter": "tabular", "mapping": "township-p", "charset": "gb18030"})
    assert loaded(of, database, {"p": [tmp_path / "a.zip"]}, 1).done == 34


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ([], InvalidRequest, "has no database in the settings"),
        (["nowhere"], NotFound, "nowhere does not exist"),
        (["broken.zip"], InvalidRequest, "is no zip archive"),
        (["sqlite://", "sqlite://"], InvalidRequest, "one database at a time"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(
    where: list[str],
    error: type[Exception],
    says: str,
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    of = settings(his={"mapping": "national/hl7v2"})
    with pytest.raises(error, match=says):
        load(of, "his", where, database, 1, Progress(io.StringIO()))


def test_the_command_tells_what_was_refused_and_its_status(
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "hub.toml").write_text(
        f'mappings_dir = "{MAPPINGS}"\n[institutions.h]\ntitle = "院"\n[sources.p]\n'
        'institution = "h"\nadapter = "tabular"\nmapping = "township-p"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(tmp_path / "hub.toml"))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    path = tmp_path / "门诊就诊.csv"
    path.write_text("JZXH,EMPIID,KSSJ\nJ1,E1,2024/3/5\n,E2,2024/3/5\n", encoding="utf-8")
    assert cli.main(["load", "p", str(path), "--processes", "1"]) == 1
    out = capsys.readouterr().out
    assert "门诊就诊.csv row 3" in out
    assert "1 done, 0 known before, 0 parked, 1 rejected" in out
    assert cli.main(["load", "p", str(path), "--processes", "1"]) == 0
    assert "1 files taken before, 0 done, 0 known before" in capsys.readouterr().out
    assert cli.main(["load", "p", str(path), "--processes", "1", "--again"]) == 0
    assert "0 done, 2 known before, 0 parked, 0 rejected" in capsys.readouterr().out
    assert cli.main(["load", "nobody", str(path)]) == 2
    assert "there is no source nobody" in capsys.readouterr().err


def test_processes_that_end_again_and_again_end_the_load(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(message("ADT^A01", "20260301").encode())
    of = settings(his={"mapping": "national/hl7v2"})
    monkeypatch.setattr(crew.loader, "run", _die)
    with pytest.raises(crew.Died, match="run the same command again"):
        load(of, "his", [str(path)], database, 1, Progress(io.StringIO()))
    assert threading.active_count() < 20


def _die(*_: object) -> None:
    raise SystemExit(7)
