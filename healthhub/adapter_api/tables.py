"""Rows of tables as messages: how sheets are read, and the form in which rows are kept.

The form is JSON lines in UTF-8. The first line is the head: table, key, patient, time, business
numbers, revision. Each line after it is a row: ``["PAT", {"heading": "text", …}]``, cells in
the order of the table, empty ones left out; ``null`` is a cell that held something in the row's
last revision and is empty now; a third item ``"gone"`` marks a row that the source no longer
holds. A row's message depends on nothing but the row: not on its file, its place in it, the
file's charset or the time of receipt, so that the same row is the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import orjson

from healthhub.adapter_api.adapter import Adapter, Feed
from healthhub.adapter_api.bad_message import BadMessage

GONE = "gone"
_TEXTS = frozenset((str, type(None)))
Cells = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class RowLine:
    """One row of a message: the name of its table, its cells, whether the source lost it."""

    table: str
    cells: Cells
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What a message of rows says of itself."""

    table: str
    key: tuple[str, ...]
    patient: str
    at: str = ""
    numbers: tuple[str, ...] = ()
    revision: int = 1
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook, or a text file whole: rows of texts with their row numbers,
    from 1, as the program that shows the file counts them. To be read once, in order."""

    name: str
    rows: Iterator[tuple[int, list[str]]]
    strict: bool = False
    """A cell beyond the header can only be a slip (text files); notes may stand there else."""


@runtime_checkable
class SheetReader(Adapter, Protocol):
    """What an adapter offers beside Adapter when its feeds are files of tables."""

    def sheets(self, path: Path, feed: Feed) -> Iterator[Sheet]:
        """The sheets of a file, streamed; raises BadMessage that names row and column."""
        ...


def write(head: Head, rows: Iterable[RowLine]) -> bytes:
    """A message of rows."""
    said: dict[str, Any] = {"table": head.table, "key": head.key, "patient": head.patient}
    for name, value in (("at", head.at), ("numbers", head.numbers), ("gone", head.gone)):
        if value:
            said[name] = value
    if head.revision > 1:
        said["revision"] = head.revision
    lines = [orjson.dumps(said)]
    for row in rows:
        cells = {name: text for name, text in row.cells.items() if text != ""}
        lines.append(orjson.dumps([row.table, cells, GONE] if row.gone else [row.table, cells]))
    return b"\n".join(lines) + b"\n"


def parse_head(raw: bytes) -> Head:
    """The head of a message of rows; raises BadMessage."""
    line = raw.split(b"\n", 1)[0]
    said = _json(line, 1)
    try:
        return Head(
            _text(said["table"]),
            tuple(_text(part) for part in said["key"]),
            _text(said["patient"]),
            _text(said.get("at", "")),
            tuple(_text(part) for part in said.get("numbers", ())),
            int(said.get("revision", 1)),
            said.get("gone", False) is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadMessage(
            "the first line is no head of a table's rows", place="line 1"
        ) from None


def parse_rows(raw: bytes) -> list[RowLine]:
    """The rows of a message; raises BadMessage."""
    found: list[RowLine] = []
    for number, line in enumerate(raw.split(b"\n")[1:], 2):
        if not line:
            continue
        said = _json(line, number)
        if not isinstance(said, list) or not 2 <= len(cast(Sequence[Any], said)) <= 3:
            raise BadMessage(f"line {number} is no row", place=f"line {number}")
        table, cells, *mark = cast(list[Any], said)
        good = isinstance(table, str) and isinstance(cells, dict)
        if not good or not _TEXTS.issuperset(map(type, cast(dict[str, Any], cells).values())):
            raise BadMessage(f"line {number} is no row", place=f"line {number}")
        found.append(RowLine(table, cast(dict[str, Any], cells), mark == [GONE]))
    if not found:
        raise BadMessage("the message holds no row", place="line 2")
    return found


def moment(head: Head) -> datetime | None:
    """The time of the event; None if the source names none, or one that is no time (conversion
    then remarks upon it)."""
    try:
        found = datetime.fromisoformat(head.at) if head.at else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _json(line: bytes, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadMessage(
            "these bytes are no rows of a table; send the file itself by POST "
            "/feeds/SOURCE/tabular or `healthhub load`",
            place=f"line {number}",
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
