"""Packed histories: honest ones of any size are taken, what is made to do harm costs little."""

from __future__ import annotations

import copy
import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from healthhub.errors import InvalidRequest
from healthhub.load import containers, unpacked
from tests.load.hubs import loaded, settings
from tests.pipeline.test_chain import message

MESSAGES = settings(his={"mapping": "national/hl7v2"})
TABLES = settings(p={"adapter": "tabular", "mapping": "township-p", "charset": "gb18030"})
SWOLLEN = b"0" * 4 * 2**20
"""Packed it is a thousandth of that."""


def reasons(dsn: str) -> str:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute("select detail from message_finding").fetchall()
    return " ".join(detail for (detail,) in rows)


def zipped(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


@pytest.mark.parametrize("source", ["his", "p"])
@pytest.mark.parametrize("suffix", ["gz", "zip"])
def test_what_unpacks_out_of_all_proportion_is_rejected_and_the_rest_is_taken(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, source: str, suffix: str
) -> None:
    monkeypatch.setattr(unpacked, "SMALL", 2**16)
    if suffix == "gz":
        (tmp_path / "a.csv.gz").write_bytes(gzip.compress(SWOLLEN))
    else:
        zipped(tmp_path / "a.zip", "a.csv", SWOLLEN)
    good = (
        message("ADT^A01", "20260301").encode() if source == "his" else b"JZXH,EMPIID\nJ1,E1\n"
    )
    (tmp_path / "门诊就诊.csv").write_bytes(good)
    of = MESSAGES if source == "his" else TABLES
    outcome = loaded(of, database, {source: [tmp_path]}, 1)
    assert outcome.rejected == 1
    assert outcome.done + outcome.parked == 1
    assert "over 200 times" in reasons(database)
    assert loaded(of, database, {source: [tmp_path]}, 1).skipped == 2


@pytest.mark.parametrize("suffix", ["gz", "zip"])
def test_what_is_damaged_is_rejected_and_the_load_goes_on(
    tmp_path: Path, database: str, suffix: str
) -> None:
    content = message("ADT^A01", "20260301").encode() + os.urandom(200_000).hex().encode()
    (tmp_path / "b.hl7").write_text(message("ADT^A01", "20260302"))
    path = tmp_path / f"a.hl7.{suffix}"
    if suffix == "gz":
        path.write_bytes(gzip.compress(content)[:-100])
    else:
        zipped(path, "a.hl7", content)
        broken = bytearray(path.read_bytes())
        broken[100_000:100_100] = bytes(100)
        path.write_bytes(broken)
    outcome = loaded(MESSAGES, database, {"his": [tmp_path]}, 1)
    assert (outcome.done, outcome.rejected) == (1, 1)
    assert "is damaged" in reasons(database)


def test_large_and_honest_is_unpacked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "SMALL", 2**10)
    content = os.urandom(2**20).hex().encode()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content))
    zipped(tmp_path / "b.zip", "b.csv", content)
    for piece in containers.pieces([tmp_path]):
        with piece.open() as file:
            assert file.read() == content
        with containers.lying_open(piece) as path:
            assert path.read_bytes() == content


def test_members_that_lie_over_one_another_are_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.hl7", "MSH|" * 10_000)
        for number in range(2):
            twin = copy.copy(archive.filelist[0])
            twin.filename = f"{number}.hl7"
            archive.filelist.append(twin)
    with pytest.raises(InvalidRequest, match="more than it has bytes"):
        list(containers.pieces([path]))


def test_the_disk_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "ROOM", 2**60)
    zipped(tmp_path / "a.zip", "a.csv", b"1,2\n")
    for piece in containers.pieces([tmp_path]):
        with pytest.raises(InvalidRequest, match="no room"), containers.lying_open(piece):
            pytest.fail("it was unpacked")


def test_the_directory_of_an_archive_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class Counted(zipfile.ZipFile):
        def __init__(self, path: Path, *options: Any) -> None:
            opened.append(path)
            super().__init__(path, *options)

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.xml", str(number))
    monkeypatch.setattr(containers.zipfile, "ZipFile", Counted)
    read: list[bytes] = []
    for piece in containers.pieces([tmp_path]):
        with piece.open() as file:
            read.append(file.read())
    assert read == [b"0", b"1", b"2", b"3", b"4"]
    assert len(opened) == 1
