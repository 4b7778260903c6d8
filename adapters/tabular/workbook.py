"""Excel workbooks (.xlsx): bounded, streamed, each cell as the text that a person sees."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from healthhub.adapter_api import BadMessage
from healthhub.adapter_api.tables import Sheet

MOST_BYTES = 2 * 2**30
"""What a workbook may unpack to."""
MOST_STRINGS = 128 * 2**20
"""Bytes of the table of shared strings, the one part that is held in memory whole."""
MOST_TIMES = 200
"""A part that unpacks to more than this many times its size, beyond SMALL bytes, is a bomb."""
SMALL = 4 * 2**20
MOST_PARTS = 5000
MOST_COLUMNS = 1000
_SIGNATURE = b"PK\x03\x04"
_OLD_SIGNATURE = b"\xd0\xcf\x11\xe0"
EXACT = 10**15
"""Whole numbers from here on are no longer exact in a workbook."""


def is_workbook(path: Path) -> bool:
    """Whether a file is one, whatever it is called; an old .xls is refused with advice."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == _OLD_SIGNATURE:
        raise BadMessage(
            "this is a workbook of Excel 97-2003 (.xls) or one with a password; "
            "save it as .xlsx or CSV without a password",
            condition="102",
            place="byte 1",
        )
    return start == _SIGNATURE


def sheets(path: Path) -> Iterator[Sheet]:
    """The visible sheets of a workbook in order."""
    _refuse_bombs(path)
    with path.open("rb") as file:
        try:
            book = openpyxl.load_workbook(
                file, read_only=True, data_only=True, keep_links=False
            )
        except (
            InvalidFileException,
            zipfile.BadZipFile,
            zlib.error,
            KeyError,
            ValueError,
            AttributeError,
            TypeError,
            ParseError,
            OSError,
        ):
            raise _broken() from None
        try:
            for sheet in book.worksheets:
                if sheet.sheet_state == "visible":
                    yield Sheet(sheet.title, _rows(sheet))
        finally:
            book.close()


def _refuse_bombs(path: Path) -> None:
    """Judge by what the archive's directory says; zipfile reads no more than that of a part."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError):
        raise _broken() from None
    swollen = any(
        part.file_size > SMALL and part.file_size > MOST_TIMES * max(part.compress_size, 1)
        for part in parts
    )
    strings = sum(p.file_size for p in parts if p.filename.endswith("sharedStrings.xml"))
    large = sum(part.file_size for part in parts) > MOST_BYTES or strings > MOST_STRINGS
    if swollen or large or len(parts) > MOST_PARTS:
        raise BadMessage(
            "the workbook unpacks to far more than it holds, or to too much; "
            "send the table as CSV, or in several workbooks",
            condition="102",
            place="workbook",
        )


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    # A sheet may declare any size; what it holds is counted instead.
    sheet.reset_dimensions()
    number = 0
    try:
        for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS), 1):
            cells = [_text(cell) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield number, cells
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        AttributeError,
        ParseError,
        OSError,
        EOFError,
        TypeError,
    ):
        raise BadMessage(
            f"the sheet cannot be read after row {number}; open and save it again",
            condition="102",
            place=f"row {number + 1}",
        ) from None


def _text(cell: Any) -> str:
    """A cell's value as text. Dates in the form of ISO; a whole number without a point; one too
    large to be exact (an ID number typed as a number has lost its last digits) with its
    exponent, so that nobody takes it for the number that was meant."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if cell.data_type == "e" else value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        midnight = value.time() == time.min
        return value.date().isoformat() if midnight else value.isoformat(timespec="seconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < EXACT else f"{value:.14e}"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < EXACT:
            return str(int(value))
        return f"{value:.14e}" if abs(value) >= EXACT else f"{value:.15g}"
    return str(value)


def _broken() -> BadMessage:
    return BadMessage(
        "the workbook is damaged or incomplete; open and save it again",
        condition="102",
        place="workbook",
    )
