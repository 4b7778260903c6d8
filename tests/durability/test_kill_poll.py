"""kill -9 of the process that polls, again and again: no row is lost, none is kept twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from healthhub import keep
from healthhub.adapter_api.tables import parse_head, parse_rows
from tests.tabular.books import mappings

pytestmark = pytest.mark.slow
PEOPLE, FILES, ROWS = 6000, 8, 400
ALL = PEOPLE + FILES * ROWS
SMALL_BATCHES = """
from healthhub.receive import tables
tables.BATCH = 20
from healthhub.cli import main
main(["poll"])
"""
SETTINGS = """
mappings_dir = "{folder}/m"
[institutions.c]
title = "县医院"
[sources.c]
institution = "c"
adapter = "tabular"
mapping = "clinic"
[sources.c.database]
url = "sqlite:///{folder}/his.db"
views = {{PAT = "V_PAT"}}
every_seconds = 0.2
batch = 20
withdraw_missing = true
[sources.f]
institution = "c"
adapter = "tabular"
mapping = "clinic"
[sources.f.folder]
path = "{folder}/in"
every_seconds = 0.2
settle_seconds = 0
"""


def fill(folder: Path) -> None:
    mappings(folder / "m")
    engine = sa.create_engine(f"sqlite:///{folder}/his.db")
    with engine.begin() as connection:
        connection.execute(
            sa.text("create table V_PAT (id, name, born, sex, changed, deleted)")
        )
        for n in range(PEOPLE):
            values = {"id": str(n), "name": f"某{n}", "at": f"2024-03-01 {n // 3600:02}:"}
            values["at"] += f"{n // 60 % 60:02}:{n % 60:02}"
            statement = "insert into V_PAT values (:id, :name, '', '1', :at, '0')"
            connection.execute(sa.text(statement), values)
    engine.dispose()
    (folder / "in").mkdir()
    for file in range(FILES):
        lines = [f"f{file}-{n},某{n}" for n in range(ROWS)]
        path = folder / "in" / f"患者{file}.csv"
        path.write_text("编号,姓名\n" + "\n".join(lines) + "\n", encoding="utf-8")


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_no_row_is_lost_and_none_is_kept_twice(database: str, tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "hub.toml").write_text(SETTINGS.format(folder=tmp_path), encoding="utf-8")
    environ = os.environ | {
        "HEALTHHUB_DATABASE_URL": database,
        "HEALTHHUB_SETTINGS": str(tmp_path / "hub.toml"),
    }
    dice = random.Random(7)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SMALL_BATCHES]
        return subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)  # noqa: S603

    with psycopg.connect(database, autocommit=True) as conn:

        def kept() -> int:
            row = conn.execute("select count(*) from message").fetchone()
            return row[0] if row else 0

        process = start()
        deaths = 0

        def gone_on(target: int, running: subprocess.Popen[bytes]) -> Callable[[], bool]:
            return lambda: kept() >= min(target, ALL) or running.poll() is not None

        while kept() < ALL and deaths < 8:
            until(gone_on(kept() + dice.randrange(20, 900), process))
            process.kill()
            process.wait(10)
            deaths += 1
            process = start()
        try:
            until(lambda: kept() == ALL)
            until(lambda: len(list((tmp_path / "in" / "done").glob("*.csv"))) == FILES)
            until(
                lambda: (
                    conn.execute(
                        "select swept is not null from source_cursor where tab = 'PAT'"
                    ).fetchone()
                    == (True,)
                )
            )
        finally:
            process.terminate()
            process.wait(20)
        assert deaths >= 3
        ids = conn.execute("select id from message order by id").fetchall()
        heads = [parse_head(keep.get(conn, id_).raw) for (id_,) in ids]
        assert len({head.key for head in heads}) == len(heads) == ALL
        assert {head.revision for head in heads} == {1}
        last = keep.get(conn, ids[-1][0]).raw
        assert parse_rows(last)
