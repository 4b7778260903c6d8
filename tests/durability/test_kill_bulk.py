"""kill -9 of the bulk process in the middle of an export: it goes on, and all comes out once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from healthhub import clock
from healthhub.bulk import jobs
from healthhub.bulk.parts import folder_of, plain
from healthhub.bulk.wanted import Wanted
from healthhub.model.ids import derive
from healthhub.model.resource import Draft, Stamp
from healthhub.settings import Settings
from healthhub.store import writer

pytestmark = pytest.mark.slow
PATIENTS, RESULTS = 300, 200
SMALL_PARTS = """
from healthhub.bulk import export, parts
parts.PART_BYTES = 2**20
export.PAGE = 200
from healthhub.cli import main
main(["bulk"])
"""


@pytest.fixture
def filled(database: str) -> Iterator[psycopg.Connection]:
    """A store of PATIENTS * (RESULTS + 1) resources."""
    with psycopg.connect(database, autocommit=True) as conn:
        stamp = Stamp(1, clock.now(), 0)
        for n in range(PATIENTS):
            key = derive("test", "Patient", str(n))
            body = {"resourceType": "Patient", "id": str(key), "gender": "female"}
            drafts = [Draft("Patient", key, key, stamp, body)]
            for k in range(RESULTS):
                result = derive("test", "Observation", str(n), str(k))
                body = {
                    "resourceType": "Observation",
                    "id": str(result),
                    "status": "final",
                    "code": {"text": f"项目{k}"},
                    "subject": {"reference": f"Patient/{key}"},
                    "valueInteger": n * RESULTS + k,
                }
                drafts.append(Draft("Observation", result, key, stamp, body))
            with conn.transaction():
                writer.write(conn, drafts, lambda _: None)
        yield conn


def test_an_export_goes_on_after_each_death_and_writes_everything_once(
    filled: psycopg.Connection, database: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="healthhub-bulk-") as folder:
        settings = Settings(data_dir=Path(folder))
        environ = os.environ | {
            "HEALTHHUB_DATABASE_URL": database,
            "HEALTHHUB_DATA_DIR": folder,
        }
        job = jobs.ask(
            filled,
            "export",
            owner="client:1",
            purpose="PUBHLTH",
            request="",
            base="",
            asked=Wanted("system").kept(),
            most=1,
        )

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-c", SMALL_PARTS], env=environ)  # noqa: S603

        def seen() -> jobs.Job:
            return jobs.of_owner(filled, job, "client:1")

        def finished() -> int:
            return len(jobs.files(filled, seen().number))

        reached = 0
        for _ in range(3):
            process = start()
            until = time.monotonic() + 60
            while finished() <= reached and time.monotonic() < until:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            assert seen().state == "running", "the export was over before it could be killed"
            assert finished() > reached
            reached = finished()
        process = start()
        until = time.monotonic() + 120
        while seen().state == "running" and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert seen().state == "done"
        made = jobs.files(filled, seen().number)
        found = [
            json.loads(line)
            for file in made
            for line in b"".join(
                plain(folder_of(settings.data_dir, job) / f"{file.name}.gz")
            ).splitlines()
        ]
    assert len(found) == PATIENTS * (RESULTS + 1) == sum(file.count for file in made)
    values = [one["valueInteger"] for one in found if one["resourceType"] == "Observation"]
    assert sorted(values) == list(range(PATIENTS * RESULTS))
