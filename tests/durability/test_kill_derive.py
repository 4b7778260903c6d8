"""kill -9 of the worker that derives again, again and again: it goes on, and nothing is done twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from healthhub import keep
from healthhub.gaps import solving
from tests.gaps.gap_stage import (
    CODE,
    MAPPINGS,
    URATE,
    codes,
    gap,
    library,
    report,
    settled,
    take,
    until,
    versions,
)

pytestmark = pytest.mark.slow
REPORTS = 1200
SETTINGS = """
[institutions.hospital-a]
title = "江城市第一人民医院"
[sources.a-lis]
institution = "hospital-a"
mapping = "hospital-a"
[pipeline]
batch = 32
"""


@contextmanager
def working(database: str, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker in a process of its own; the list holds it, so that a test can put in another."""
    (folder / "hub.toml").write_text(SETTINGS, encoding="utf-8")
    running = [start(database, folder)]
    try:
        yield running
    finally:
        running[0].kill()
        running[0].wait(10)


def start(database: str, folder: Path) -> subprocess.Popen[bytes]:
    environ = os.environ | {
        "HEALTHHUB_DATABASE_URL": database,
        "HEALTHHUB_SETTINGS": str(folder / "hub.toml"),
    }
    command = [sys.executable, "-m", "healthhub", "worker"]
    return subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)  # noqa: S603


def test_a_re_derivation_survives_the_death_of_its_worker(
    database: str, tmp_path: Path
) -> None:
    dice = random.Random(11)
    take(database, *(report(n) for n in range(REPORTS)))
    with psycopg.connect(database, autocommit=True) as conn, working(database, tmp_path) as run:
        until(lambda: settled(conn), 240)
        before = versions(conn)

        def killed(reached: int, mapped: bool) -> None:
            """Kill the worker once so many messages are through; another goes on."""

            def there() -> bool:
                now = gap(conn)
                return (now.mapped if mapped else now.open) >= reached

            until(there, 240)
            run[0].kill()
            run[0].wait(10)
            run[0] = start(database, tmp_path)

        def place() -> solving.Place:
            return solving.place(conn, library(), MAPPINGS, gap(conn))

        number = solving.solve(conn, place(), URATE, who="a", why="a", seen=0)
        for share in (0.0, 0.2, 0.5, 0.8):
            killed(int(REPORTS * share) + dice.randrange(1, 100), mapped=True)
        until(lambda: settled(conn), 240)
        assert (gap(conn).open, gap(conn).mapped) == (0, REPORTS)
        assert codes(conn) == [[("尿酸", "14933-6"), ("尿酸", CODE)]] * REPORTS
        assert versions(conn) == before + REPORTS, "one version each, and not one more"
        solving.undo(conn, number, place(), who="a", why="a")
        killed(REPORTS // 3, mapped=False)
        until(lambda: settled(conn), 240)
        assert (gap(conn).open, gap(conn).mapped) == (REPORTS, 0)
        assert codes(conn) == [[("尿酸", CODE)]] * REPORTS
        assert versions(conn) == before + 2 * REPORTS
        row = conn.execute("select count(*) from code_sighting").fetchone()
        assert row == (REPORTS,)
        assert not [n for s, n in keep.counts(conn).by_state.items() if s != "done" and n]
