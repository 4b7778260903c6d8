"""The services of docker-compose.yml as processes: each starts apart, and a message goes through."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from healthhub import keep
from healthhub.access import Purpose, Role, clients
from healthhub.model.message import State
from tests.deploy.image import ROOT, Stage, build
from tests.receive.conftest import Client

MESSAGE = (
    (ROOT / "mappings/national/hl7v2/samples/oru-r01-numeric.hl7")
    .read_bytes()
    .replace(b"\r\n", b"\r")
    .replace(b"\n", b"\r")
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def wait_until(true: Callable[[], bool], seconds: float, log: Path) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, log.read_text("utf-8", "replace")[-4000:]
        time.sleep(0.1)


@pytest.fixture
def empty_database(server_dsn: str) -> Iterator[str]:
    """A database without any schema, as the postgres image makes it."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


@pytest.fixture(params=["checkout", pytest.param("image", marks=pytest.mark.slow)])
def stage(request: pytest.FixtureRequest, tmp_path: Path, empty_database: str) -> Stage:
    """Our programs: those of this checkout, and those that the Dockerfile builds."""
    prefix = Path(sys.prefix) if request.param == "checkout" else build(tmp_path / "image")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "database_url").write_text(empty_database, "utf-8")
    settings = tmp_path / "healthhub.toml"
    shipped = (ROOT / "deploy" / "healthhub.toml").read_text("utf-8")
    settings.write_text(shipped.replace("10.0.0.0/8", "127.0.0.0/8"), "utf-8")
    ports = {"HEALTHHUB_WEB__PORT": free_port(), "HEALTHHUB_MLLP__PORT": free_port()}
    return Stage(prefix, secrets, settings, ports)


@contextmanager
def started(stage: Stage, service: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service's process, ended as ``docker stop`` ends it."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603
            stage.command(service), env=stage.environment(service), stdout=out, stderr=out,
            cwd=stage.secrets,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, f"{service} does not end well"


def status(stage: Stage, service: str, words: list[str]) -> int:
    call = subprocess.run(  # noqa: S603
        words, env=stage.environment(service), cwd=stage.secrets, check=False,
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert call.returncode in (0, 1), call.stderr.decode()
    return call.returncode


def test_the_parts_start_apart_and_a_message_goes_through_all_of_them(
    stage: Stage, empty_database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    check = [*stage.command("migrate")[:1], "settings", "--check"]
    assert status(stage, "hub", check) == 0
    assert status(stage, "migrate", stage.command("migrate")) == 0
    parts = ("hub", "mllp", "worker", "bulk", "notify", "watch", "poll")
    for part in parts:
        assert status(stage, part, stage.probe(part)) == 1, f"{part} is well before it runs"
    with (
        started(stage, "hub", log),
        started(stage, "mllp", log),
        psycopg.connect(empty_database, autocommit=True) as connection,
    ):
        for part in ("hub", "mllp"):
            wait_until(lambda p=part: status(stage, p, stage.probe(p)) == 0, 60, log)
        with Client(stage.ports["HEALTHHUB_MLLP__PORT"]) as sender:
            assert b"MSA|CA|" in sender.ask(MESSAGE)
        assert keep.counts(connection).by_state[State.PENDING] == 1, "no worker runs yet"
        assert status(stage, "worker", stage.probe("worker")) == 1
        with started(stage, "worker", log):
            wait_until(lambda: keep.counts(connection).by_state[State.DONE] == 1, 60, log)
            assert status(stage, "worker", stage.probe("worker")) == 0
        for part in ("bulk", "notify", "watch", "poll"):
            with started(stage, part, log):
                wait_until(lambda p=part: status(stage, p, stage.probe(p)) == 0, 60, log)
        token = clients.add(connection, "probe", [Role.SYSTEM], Purpose.TREAT)
        base = f"http://127.0.0.1:{stage.ports['HEALTHHUB_WEB__PORT']}"
        found = httpx.get(
            f"{base}/fhir/Observation",
            params={"code": "718-7"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert found.status_code == 200
        assert len(found.json()["entry"]) == 1
        assert found.json()["link"][0]["url"].startswith("https://hub.example.org/fhir")
