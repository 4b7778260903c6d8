"""Which heading of a row is which column, and the rows of a record as a mapping numbers them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from healthhub.adapter_api.record import Record, Row, Segment
from healthhub.mapping.columns import STATE
from healthhub.mapping.definition import Table

MOST_LAYOUTS = 10_000
"""Sets of headings that are remembered of a table: rows leave out what is empty."""


@lru_cache(maxsize=65536)
def plain(heading: str) -> str:
    """A heading as headings are compared: half-width, without blanks, in small letters."""
    return "".join(unicodedata.normalize("NFKC", heading).split()).casefold()


class Columns:
    """The columns of one table by every heading that they may have."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._columns: dict[str, str] = {}
        for column, headings in table.columns.items():
            for heading in headings:
                self._columns.setdefault(plain(heading), column)
        for column in table.columns:
            self._columns[plain(column)] = column
        self.numbers = {column: n for n, column in enumerate(table.columns, 1)}
        self.numbers[STATE] = len(self.numbers) + 1
        self._layouts: dict[tuple[str, ...], tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def column(self, heading: str) -> str:
        """The column that a heading names; empty if it names none."""
        return STATE if heading == STATE else self._columns.get(plain(heading), "")

    def known(self, headings: Sequence[str]) -> set[str]:
        """The columns that are among headings."""
        return {self.column(heading) for heading in headings} - {""}

    def number(self, row: Row) -> Row:
        """The row with its fields in the order of the table's columns; what the table does not
        name comes after them."""
        headings = tuple(row.cells)
        layout = self._layouts.get(headings)
        if layout is None:
            if len(self._layouts) >= MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[headings] = self._layout(row.name, headings)
        places, row.headings = layout
        fields = [""] * len(row.headings)
        fields[0] = row.name
        for place, text in zip(places, row.cells.values(), strict=True):
            fields[place] = text
        row.fields = fields
        return row

    def _layout(
        self, name: str, headings: tuple[str, ...]
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Where the cells of these headings stand among the fields, and the fields' headings."""
        named = [name, *[""] * len(self.numbers)]
        places: list[int] = []
        for heading in headings:
            number = self.numbers.get(self.column(heading), 0)
            if number and not named[number]:
                named[number] = heading
            else:
                number = len(named)
                named.append(heading)
            places.append(number)
        return tuple(places), tuple(named)


def bind(record: Record, columns: Mapping[str, Columns]) -> Record:
    """A record whose rows have numbered fields, as the tables of a mapping number them."""
    if not any(isinstance(segment, Row) for segment in record.segments):
        return record
    segments = tuple(_bound(segment, columns) for segment in record.segments)
    return replace(record, segments=segments)


def _bound(segment: Segment, columns: Mapping[str, Columns]) -> Segment:
    if not isinstance(segment, Row):
        return segment
    known = columns.get(segment.name)
    if known is not None:
        return known.number(segment)
    segment.fields = [segment.name, *segment.cells.values()]
    return segment


def of_tables(tables: Mapping[str, Table]) -> dict[str, Columns]:
    """The columns of all tables of a mapping."""
    return {name: Columns(table) for name, table in tables.items()}
