"""However large a history is, each process of a load stays small."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from healthhub import keep
from tests.load import large
from tests.load.hubs import MAPPINGS

pytestmark = pytest.mark.slow
SIZE = 300 * 10**6
MOST = 500 * 10**6
SETTINGS = """
mappings_dir = "{mappings}"
[institutions.h]
title = "院"
[sources.x]
institution = "h"
adapter = "{adapter}"
mapping = "{mapping}"
"""
HISTORIES = [
    ("hl7v2", "national/hl7v2", "a.hl7", large.messages),
    ("tabular", "township-p", "门诊就诊.csv", large.rows),
    ("tabular", "township-p", "a.zip", large.packed_rows),
    ("cda", "national/cda", "a.zip", large.documents),
]


def highest(process: psutil.Process) -> int:
    """The most memory that a process has ever had, in bytes; 0 once it has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def peak(command: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Run a command; the most memory that one of its processes had, and what it said."""
    most = 0
    with subprocess.Popen(  # noqa: S603
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        parent = psutil.Process(running.pid)
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [parent, *parent.children(recursive=True)]
                most = max(most, *map(highest, family))
            try:
                said, _ = running.communicate(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            assert running.returncode == 0, said
            return most, said


@pytest.mark.parametrize(
    ("adapter", "mapping", "name", "write"), HISTORIES, ids=["hl7", "csv", "csv.zip", "cda.zip"]
)
def test_a_load_of_any_size_is_small_in_memory(
    tmp_path: Path,
    database: str,
    adapter: str,
    mapping: str,
    name: str,
    write: Callable[[Path, int], None],
) -> None:
    path = tmp_path / name
    write(path, SIZE)
    settings = tmp_path / "hub.toml"
    settings.write_text(
        SETTINGS.format(mappings=MAPPINGS, adapter=adapter, mapping=mapping), encoding="utf-8"
    )
    environ = os.environ | {
        "HEALTHHUB_SETTINGS": str(settings),
        "HEALTHHUB_DATABASE_URL": database,
    }
    command = [sys.executable, "-m", "healthhub", "load", "x", str(path), "--processes", "2"]
    most, said = peak(command, environ)
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).total == large.DISTINCT, said
    assert 50 * 10**6 < most < MOST
