"""kill -9 of a load and of its processes, again and again: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from bench import histories
from bench.hub import words
from healthhub import city
from healthhub.city.settings import as_toml
from tests.load.hubs import MAPPINGS, holding, one_by_one, settings, work

pytestmark = pytest.mark.slow
SMALL = """
from healthhub.load import crew, arriving
crew.ITEMS, crew.NOTE_SECONDS, arriving.OFTEN = 10, 0.1, 5
from healthhub.cli import main
raise SystemExit(main(["load", "s", *{where!r}]))
"""


def hl7v2(folder: Path) -> tuple[dict[str, Any], list[str]]:
    (folder / "in").mkdir()
    frames = [
        b"\x0b" + raw + b"\x1c\r"
        for source, _, raw in city.feed(40)
        if source == "hospital-a-his"
    ]
    half = len(frames) // 2
    (folder / "in" / "1.hl7").write_bytes(b"".join(frames[:half]))
    (folder / "in" / "2.hl7").write_bytes(b"".join(frames[half:]))
    return {"mapping": "hospital-a"}, [str(folder / "in")]


def csv(folder: Path) -> tuple[dict[str, Any], list[str]]:
    histories.files(folder / "in", 12)
    table = {"adapter": "tabular", "mapping": "township-p", "charset": "gb18030"}
    return table, [str(folder / "in")]


def view(folder: Path) -> tuple[dict[str, Any], list[str]]:
    histories.views(folder / "v.db", 12)
    database = {"url": f"sqlite:///{folder}/v.db", "batch": 20}
    return {"adapter": "tabular", "mapping": "hospital-b-views", "database": database}, []


@pytest.mark.parametrize("made", [hl7v2, csv, view])
def test_a_load_that_is_killed_goes_on_where_it_was(
    made: Callable[[Path], tuple[dict[str, Any], list[str]]],
    tmp_path: Path,
    database: str,
    other: str,
) -> None:
    table, where = made(tmp_path)
    tables = {
        "mappings_dir": str(MAPPINGS),
        "institutions": {"h": {"title": "院"}},
        "sources": {"s": {"institution": "h"} | table},
    }
    (tmp_path / "hub.toml").write_text(as_toml(tables), encoding="utf-8")
    environ = os.environ | {
        "HEALTHHUB_DATABASE_URL": database,
        "HEALTHHUB_SETTINGS": str(tmp_path / "hub.toml"),
    }
    dice, log = random.Random(11), (tmp_path / "log").open("wb")

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SMALL.format(where=where)]
        return subprocess.Popen(command, env=environ, stdout=log, stderr=log)  # noqa: S603

    deaths, process = 0, start()
    with psycopg.connect(database, autocommit=True) as conn:
        while process.poll() is None and deaths < 8:
            if _grown(conn, dice.randrange(10, 60), process):
                _kill(process, dice, whole=deaths % 2 == 0)
                deaths += 1
            if process.poll() is not None and process.returncode < 0:
                process = start()
        assert process.wait(180) in (0, 1), (tmp_path / "log").read_text()
    log.close()
    assert deaths >= 3
    of = settings(s=table)
    work(of, database)  # what was left to the workers, as a process had died over it
    one_by_one(of, other, {"s": [Path(each) for each in where]})
    expected, found = holding(other), holding(database)
    for what in expected.keys() - {"repeats", "cursors"}:
        assert found[what] == expected[what], what


def _grown(conn: psycopg.Connection, more: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until so many more messages are there; False when the load ended before."""

    def count() -> int:
        row = conn.execute("select count(*) from message").fetchone()
        return row[0] if row else 0

    wanted, limit = count() + more, time.monotonic() + 120
    while count() < wanted:
        if process.poll() is not None:
            return False
        assert time.monotonic() < limit
        time.sleep(0.02)
    return True


def _kill(process: subprocess.Popen[bytes], dice: random.Random, *, whole: bool) -> None:
    """kill -9 of the load, or of one of the processes that take what it reads."""
    if not whole:
        parent = psutil.Process(process.pid)
        said = words(parent)
        children = [each for each in parent.children() if words(each) == said]
        if children:
            dice.choice(children).kill()
            return
    process.kill()
    process.wait(10)
