"""The adapter for tables: CSV, Excel workbooks and rows of database views."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from adapters.tabular import delimited, locate, workbook
from healthhub.adapter_api import BadMessage, Feed, Outcome, answer, tables
from healthhub.adapter_api.record import Place, Record, Row, Span
from healthhub.adapter_api.tables import Sheet
from healthhub.adapter_api.text import NULL, escape
from healthhub.model.message import Envelope

STATE = "_state"
_SIGNS = re.compile(rb"[|^&~\\]|null")
"""What may stand in a row as it is kept whose cells are not all as they are."""
_LOST = ("\ufffd", "锟斤拷")
"""What is left of characters that were read in a wrong charset: the sign for a lost one, and three
that it becomes when it is written as UTF-8 and read as GBK."""
_UNREADABLE = (
    (
        "wrong-charset",
        "characters were lost before the row came here: it was read in a charset that it is not "
        "in; correct the charset at the source, or of this source",
    ),
)


class Tabular:
    """healthhub.adapter_api.Adapter and SheetReader for tables."""

    name = "tabular"

    def sheets(self, path: Path, feed: Feed) -> Iterator[Sheet]:
        """The sheets of a workbook, or the one of a text file, streamed."""
        if workbook.is_workbook(path):
            return workbook.sheets(path)
        return delimited.sheets(path, feed)

    def split(self, body: bytes) -> Iterator[bytes]:
        """A message of rows stands alone."""
        yield body

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """What the head of a message of rows says."""
        head = tables.parse_head(raw)
        control = "|".join((head.table, *head.key))
        at = tables.moment(head)
        return Envelope(_kind(head), control, head.patient, at, head.numbers)

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The rows as segments; their fields are numbered by the mapping."""
        head = tables.parse_head(raw)
        rows: list[Row] = []
        written = [line for line in raw.split(b"\n")[1:] if line]
        for index, (line, text) in enumerate(zip(tables.parse_rows(raw), written, strict=True)):
            cells = _plain(line.cells) if _is_plain(text) else _escaped(line.cells)
            if line.gone:
                cells[STATE] = tables.GONE
            rows.append(Row.of(line.table, cells, index))
        lost = any(sign.encode() in raw for sign in _LOST) and any(
            sign in cell for row in rows for cell in row.cells.values() for sign in _LOST
        )
        return Record(_kind(head), tuple(rows), at=head.at, mended=_UNREADABLE if lost else ())

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """See adapters.tabular.locate."""
        return locate.locate(raw, place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """JSON."""
        return answer.in_json(outcome, text, error)


def _is_plain(line: bytes) -> bool:
    """Whether no cell of a row needs to be escaped, nor is null."""
    return _SIGNS.search(line) is None


def _plain(cells: tables.Cells) -> dict[str, str]:
    return cast(dict[str, str], dict(cells))  # a null would have been seen in the line


def _escaped(cells: tables.Cells) -> dict[str, str]:
    return {
        heading: NULL if text is None else text if text.isalnum() else escape(text)
        for heading, text in cells.items()
    }


def _kind(head: tables.Head) -> str:
    return f"{head.table}^{tables.GONE if head.gone else 'row'}"


ADAPTER = Tabular()
