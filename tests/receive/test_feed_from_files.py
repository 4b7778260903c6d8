"""Histories from files: whole messages whatever the window, resumed without doubles."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub import cli, keep
from healthhub.adapter_api import registry
from healthhub.receive import files
from healthhub.receive.frames import frame
from tests.receive.test_mllp_listener import utf8

SETTINGS = """
[institutions.h]
title = "江城市第一人民医院"
[sources.his]
institution = "h"
mapping = "national/hl7v2"
"""
ONE = ("--processes", "1")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(0, 12),
    window=st.integers(1, 700),
    join=st.sampled_from([b"", b"\n", b"\r\n\r\n"]),
    framed=st.booleans(),
)
def test_messages_are_the_same_whatever_the_window(
    tmp_path: Path, count: int, window: int, join: bytes, framed: bool
) -> None:
    adapter = registry.find("hl7v2")
    wrap = frame if framed else bytes
    body = join.join(wrap(utf8(str(n), name="王" * n)) for n in range(count))
    path = tmp_path / "history.hl7"
    path.write_bytes(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "WINDOW_BYTES", window)
        assert list(files.messages([path], adapter)) == list(adapter.split(body))


@pytest.fixture
def hub(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings in a file, as a command finds them."""
    path = tmp_path / "healthhub.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv("HEALTHHUB_SETTINGS", str(path))
    monkeypatch.setenv("HEALTHHUB_DATABASE_URL", database)
    return tmp_path


def test_a_history_is_kept_in_order_and_again_changes_nothing(
    hub: Path, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = hub / "history"
    folder.mkdir()
    (folder / "a.hl7").write_bytes(b"".join(utf8(str(n)) for n in range(1500)))
    (folder / "b.hl7").write_bytes(b"rubbish\r" + utf8("1500"))
    assert cli.main(["load", "his", str(folder), *ONE]) == 1
    assert "1,501 done, 0 known before, 0 parked, 1 rejected" in capsys.readouterr().out
    assert cli.main(["load", "his", str(folder / "a.hl7"), "--again", *ONE]) == 0
    assert "0 done, 1,500 known before, 0 parked, 0 rejected" in capsys.readouterr().out
    rows = connection.execute("select control from message where control <> '' order by id")
    assert [control for (control,) in rows] == [str(n) for n in range(1501)]


def test_an_unknown_source_or_file_is_told_in_a_sentence(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["load", "lis", str(hub)]) == 2
    assert "the settings have: his" in capsys.readouterr().err
    assert cli.main(["load", "his", str(hub / "none"), *ONE]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_an_administrator_sees_messages_without_patient_data_unless_asked(
    hub: Path, connection: psycopg.Connection, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = hub / "one.hl7"
    path.write_bytes(utf8("77", name="欧阳^修"))
    cli.main(["load", "his", str(path), *ONE])
    (line,) = keep.find(connection, keep.Choice())
    capsysbinary.readouterr()
    for what in (["show", str(line.id)], ["list", "--source", "his"], ["counts"], ["days"]):
        assert cli.main(["message", *what]) == 0
        out = capsysbinary.readouterr().out.decode()
        assert out.strip()
        assert "欧阳" not in out
        assert "P77" not in out
    cli.main(["message", "show", str(line.id), "--raw"])
    assert capsysbinary.readouterr().out == utf8("77", name="欧阳^修")


def test_a_replay_by_command_counts_first_and_needs_a_reason(
    hub: Path, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    path = hub / "one.hl7"
    path.write_bytes(utf8("1") + utf8("2"))
    cli.main(["load", "his", str(path), *ONE])
    capsys.readouterr()
    replay = ["replay", "--source", "his", "--reason", "corrected map"]
    assert cli.main([*replay, "--dry-run"]) == 0
    assert capsys.readouterr().out == "replay: 2 messages would be touched\n"
    assert keep.counts(connection).by_state["done"] == 2
    connection.rollback()
    assert cli.main(replay) == 0
    assert keep.counts(connection).by_state["pending"] == 2
    assert cli.main(["replay", "--source", "his", "--reason", " "]) == 2
