"""Which heading of a row is which column, and the rows of a record as a mapping numbers them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from healthhub.adapter_api.record import Record, Row, Segment
from healthhub.mapping.columns import STATE
from healthhub.mapping.definition import Table


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

    def column(self, heading: str) -> str:
        """The column that a heading names; empty if it names none."""
        return STATE if heading == STATE else self._columns.get(plain(heading), "")

    def known(self, headings: Sequence[str]) -> set[str]:
        """The columns that are among headings."""
        return {self.column(heading) for heading in headings} - {""}

    def number(self, row: Row) -> Row:
        """The row with its fields in the order of the table's columns; what the table does not
        name comes after them."""
        fields = [row.name, *[""] * len(self.numbers)]
        headings = list(fields)
        for heading, text in row.cells.items():
            number = self.numbers.get(self.column(heading), 0)
            if number and not fields[number]:
                fields[number], headings[number] = text, heading
            else:
                fields.append(text)
                headings.append(heading)
        numbered = Row.of(row.name, row.cells, row.index)
        numbered.fields = fields
        numbered.headings = tuple(headings)
        return numbered


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
