"""healthhub demo: reaches READY, hands out what works, resumes, and stands beside another."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from healthhub import keep, postgres
from healthhub.model.message import State
from healthhub.settings import Settings
from tests.receive.conftest import Client

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--residents", "12", "--years", "1", "--seed", "3")
MESSAGE = (
    (ROOT / "mappings/national/hl7v2/samples/oru-r01-numeric.hl7")
    .read_bytes()
    .replace(b"\r\n", b"\r")
    .replace(b"\n", b"\r")
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextmanager
def demo(folder: Path, port: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A demonstration in a process of its own; ended as by Ctrl-C."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HEALTHHUB_")}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "healthhub", "demo", *SMALL, *words],
        env=environ | {"HEALTHHUB_PORT": str(port), "HEALTHHUB_DATA_DIR": str(folder)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=90)


def ready(process: subprocess.Popen[str]) -> str:
    """All that it said up to READY; a test that waits for ever is ended by its pipe's end."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if line.startswith("READY "):
            return said
    raise AssertionError(said)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can enter too, when we are root."""
    with tempfile.TemporaryDirectory(prefix="healthhub-demo-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def credentials(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "credentials.json").read_text("utf-8"))


def test_two_demonstrations_stand_side_by_side_and_what_they_hand_out_works(
    folder: Path,
) -> None:
    ports = free_port(), free_port()
    with (
        demo(folder / "one", ports[0]) as first,
        demo(folder / "two", ports[1]) as second,
    ):
        for process, name, port in ((first, "one", ports[0]), (second, "two", ports[1])):
            said = ready(process)
            assert f"READY http://127.0.0.1:{port}\n" in said
            handed = credentials(folder / name)
            path = folder / name / "credentials.json"
            assert str(path) in said
            assert path.stat().st_mode & 0o777 == 0o600
            works(handed, said)
        one, two = credentials(folder / "one"), credentials(folder / "two")
        assert one["mllp"]["port"] != two["mllp"]["port"]
        assert stored(one, one["fhir_client"]["token"]) == 200
        assert stored(two, one["fhir_client"]["token"]) == 401, "a token is of one hub"


def stored(handed: dict[str, Any], token: str) -> int:
    header = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{handed['fhir']}/Patient?_count=1", headers=header).status_code


def works(handed: dict[str, Any], said: str) -> None:
    """Each account signs in, the FHIR token reads, the partner's feeds, the port takes MLLP."""
    roles = {each["role"] for each in handed["accounts"]}
    assert roles == {"clinician", "admin", "auditor"}
    for account in handed["accounts"]:
        assert account["password"] in said
        assert signs_in(handed["pages"], account["name"], account["password"])
        assert not signs_in(handed["pages"], account["name"], "not-this-one-Aa1")
    assert stored(handed, handed["fhir_client"]["token"]) == 200
    read = httpx.get(
        f"{handed['fhir']}/Patient/{handed['patient']['id']}",
        headers={"Authorization": f"Bearer {handed['fhir_client']['token']}"},
    )
    assert handed["patient"]["name"] in read.text
    partner = handed["sources"]["partner"]
    fed = httpx.post(
        partner["feed_url"],
        content=MESSAGE,
        headers={"Authorization": f"Bearer {partner['token']}"},
    )
    assert fed.status_code == 200, fed.text
    assert fed.json()[0]["outcome"] == "accept"
    assert httpx.post(partner["feed_url"], content=MESSAGE).status_code == 401
    with Client(handed["mllp"]["port"]) as sender:
        line = MESSAGE.replace(b"|LIS|", f"|{partner['sender']}|".encode(), 1)
        assert b"MSA|CA|" in sender.ask(line)


def signs_in(pages: str, name: str, password: str) -> bool:
    with httpx.Client(base_url=pages) as browser:
        key = re.search(r'name="form_key" value="([^"]+)"', browser.get("/signin").text)
        assert key is not None
        words = {"name": name, "password": password, "form_key": key[1], "next": "/"}
        return browser.post("/signin", data=words).status_code == 303


def test_a_rerun_goes_on_from_there_and_once_ends_by_itself(folder: Path) -> None:
    """The folder is that of the test before: its city is sent again, and nothing is added."""
    place = folder / "one"
    with demo(place, free_port(), "--once") as process:
        ready(process)
        process.wait(90)
    assert process.returncode == 0
    loaded = Settings(data_dir=place)
    with postgres.running(loaded) as dsn, psycopg.connect(dsn) as connection:
        first = keep.counts(connection).by_state
    with demo(place, free_port(), "--once") as process:
        ready(process)
        process.wait(90)
    with postgres.running(loaded) as dsn, psycopg.connect(dsn) as connection:
        assert keep.counts(connection).by_state == first
        assert first[State.DONE] > 100


def test_a_folder_that_another_demonstration_uses_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with demo(tmp_path, free_port(), "--once") as process:
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "another demonstration runs in" in said
    assert [each.name for each in tmp_path.iterdir()] == ["demo.lock"]
