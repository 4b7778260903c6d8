"""The process tree's start: what stands in its way is told by the setting; a child comes back."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthhub import child, cli
from healthhub.child import Child


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("setting", ["web.port", "mllp.port"])
def test_a_port_that_is_taken_is_told_by_its_setting(
    setting: str,
    taken: int,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    ports = {"web.port": 0, "mllp.port": 0, setting: taken}
    for name, port in ports.items():
        monkeypatch.setenv(f"HEALTHHUB_{name.replace('.', '__').upper()}", str(port))
    assert cli.main(["serve"]) == 2
    said = capsys.readouterr().err
    assert f"{setting}: cannot listen on 127.0.0.1:{taken}" in said


def test_a_database_that_is_away_ends_the_start_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
    monkeypatch.setenv("HEALTHHUB_WEB__PORT", "0")
    assert cli.main(["serve"]) == 2
    said = capsys.readouterr().err
    assert "database_url: the database cannot be used" in said
    assert "hunter2" not in said


def test_a_child_that_dies_comes_back_after_a_growing_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.1)
    made = Child("checker", ("settings", "--reference"), {})
    pids = []
    with caplog.at_level(logging.ERROR):
        made.start()
        until = time.monotonic() + 60
        while len(pids) < 3 and time.monotonic() < until:
            if made.pid not in (None, *pids):
                pids.append(made.pid)
            made.mend()
            time.sleep(0.01)
    assert len(pids) == 3
    pauses = [line.getMessage().rsplit(" ", 2)[1] for line in caplog.records]
    assert pauses[:2] == ["0.1", "0.2"]
    made.tell(signal.SIGKILL)
    assert made.wait(10)
