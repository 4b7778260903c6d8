"""Text files of tables: charset and delimiter found, rows streamed by the csv module."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from healthhub.adapter_api import BadMessage, Feed
from healthhub.adapter_api.tables import Sheet

CELL_CHARACTERS = 1_000_000
"""A longer cell is no cell: most likely a quote that was never closed."""
BLOCK = 2**20
DELIMITERS = ",\t;|"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def sheets(path: Path, feed: Feed) -> Iterator[Sheet]:
    """The one sheet of a text file, called after the file."""
    charset = charset_of(path, feed.charset)
    yield Sheet(path.stem, _rows(path, charset), strict=True)


def charset_of(path: Path, declared: str) -> str:
    """What the file's mark says; else UTF-8 if all of it is; else what the source declares.

    The whole file is asked: a few GBK characters can pass for UTF-8, a file of them cannot.
    """
    with path.open("rb") as file:
        start = file.read(4)
    for mark, charset in _MARKS:
        if start.startswith(mark):
            return charset
    chosen = ["utf-8"]
    if codecs.lookup(declared).name not in ("utf-8", "utf-8-sig"):
        chosen.append(declared)
    failed_at = 0
    for charset in chosen:
        failed_at = _undecodable(path, charset)
        if failed_at < 0:
            return charset
    tried = " nor ".join(chosen)
    raise BadMessage(
        f"the file is neither {tried}; set the source's charset (gb18030?) and send it again",
        condition="102",
        place=f"byte {failed_at + 1}",
    )


def _undecodable(path: Path, charset: str) -> int:
    """The first byte that is not of the charset; -1 if all are."""
    decoder = codecs.getincrementaldecoder(charset)("strict")
    passed = 0
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            kept = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return passed - kept + error.start
            if not block:
                return -1
            passed += len(block)


def delimiter_of(head: str) -> str:
    """The delimiter that stands most often outside quotes in a file's first lines."""
    counts = dict.fromkeys(DELIMITERS, 0)
    quoted = False
    for char in head:
        if char == '"':
            quoted = not quoted
        elif not quoted and char in counts:
            counts[char] += 1
    return max(DELIMITERS, key=lambda char: counts[char])


def _rows(path: Path, charset: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers; a cell's line breaks do not count as rows."""
    csv.field_size_limit(CELL_CHARACTERS)
    with path.open(encoding=charset, newline="") as file:
        delimiter = delimiter_of("".join(file.readline(BLOCK) for _ in range(20)))
    number = 0
    with path.open(encoding=charset, newline="") as file:
        reader = csv.reader(_without_nul(file), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                number += 1
                if any(cells):
                    yield number, cells
        except csv.Error as error:
            too_long = "limit" in str(error)
            raise BadMessage(
                f"row {number + 1} cannot be read: "
                + ("a cell is longer than a million characters; " if too_long else "")
                + "is a quote left open, or is there text after a closing one?",
                condition="102",
                place=f"row {number + 1}",
            ) from None


def _without_nul(file: io.TextIOBase) -> Iterator[str]:
    """Lines of bounded length without NUL, which exports pad columns with."""
    while line := file.readline(2 * CELL_CHARACTERS):
        yield line.replace("\0", "") if "\0" in line else line
