"""Histories of any size, most of it sent before: quick to read, and as large in memory as any."""

from __future__ import annotations

import itertools
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.load.hubs import MAPPINGS
from tests.pipeline.test_chain import message

DISTINCT = 40
NOTE = 20_000
"""Characters of a long note."""
DOCUMENT = MAPPINGS / "national/cda/samples/c0002-outpatient.xml"


def _notes() -> list[str]:
    """Texts of which none is like another, so that packing them changes their size little."""
    dice = random.Random(7)
    return [dice.randbytes(NOTE // 2).hex() for _ in range(DISTINCT)]


def messages(path: Path, size: int) -> None:
    """One file of HL7 v2."""
    said = [
        (message("ADT^A01", f"202601{n % 28 + 1:02}") + f"NTE|1||{note * 3}\r").encode()
        for n, note in enumerate(_notes())
    ]
    _write(path, said, size)


def rows(path: Path, size: int) -> None:
    """One file of rows: outpatient visits with long notes."""
    lines = []
    for number, note in enumerate(_notes()):
        lines.append(f"J{number},E{number},2024/3/5,{note}\n".encode())
    _write(path, lines, size, b"JZXH,EMPIID,KSSJ,BZ\n")


def packed_rows(path: Path, size: int) -> None:
    """The same in a zip."""
    plain = path.with_name("门诊就诊.csv")
    rows(plain, size)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(plain, plain.name)
    plain.unlink()


def documents(path: Path, size: int) -> None:
    """A zip with a folder of CDA documents."""
    raw = DOCUMENT.read_text(encoding="utf-8").rstrip()
    said = [f"{raw}<!-- {note * 20} -->\n".encode() for note in _notes()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, one in enumerate(_some(said, size)):
            archive.writestr(f"documents/{number:06}.xml", one)


def _write(path: Path, pieces: list[bytes], size: int, head: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(head)
        for piece in _some(pieces, size):
            file.write(piece)


def _some(pieces: list[bytes], size: int) -> Iterator[bytes]:
    """The pieces, over and over, until they are so many bytes."""
    for piece in itertools.cycle(pieces):
        if size <= 0:
            return
        size -= len(piece)
        yield piece
