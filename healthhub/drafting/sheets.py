"""Sheets of samples whose table nobody has declared yet: where the header is, what stands below."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from healthhub.adapter_api.tables import Sheet
from healthhub.convert.sheets import HEADER_SEARCH, merged

MOST_ROWS = 500
LEAST_COLUMNS = 3
_VALUE = re.compile(r"[\d\s.,:/年月日-]+|.*\d{4}.*")


@dataclass(frozen=True, slots=True)
class Found:
    """A sheet with its header: the headings, how many rows they span, the rows as texts."""

    name: str
    headings: tuple[str, ...]
    depth: int
    rows: tuple[Mapping[str, str], ...]


def find(sheet: Sheet, name: str) -> Found | None:
    """The table of a sheet; None where no row looks like a header."""
    top = [cells for _, cells in islice(sheet.rows, HEADER_SEARCH)]
    rest = [cells for _, cells in islice(sheet.rows, MOST_ROWS)]
    for position, cells in enumerate(top):
        if not _is_header(cells):
            continue
        spans = position + 1 < len(top) and _is_header(top[position + 1], below=True)
        depth = 2 if spans and _has_gaps(cells) else 1
        headings = merged(top[position : position + depth])
        rows = [
            {heading: row[n] for n, heading in enumerate(headings) if heading and n < len(row)}
            for row in (*top[position + depth :], *rest)
            if sum(bool(cell.strip()) for cell in row) >= LEAST_COLUMNS
        ]
        return Found(name, tuple(h for h in headings if h), depth, tuple(rows))
    return None


def _is_header(cells: Sequence[str], *, below: bool = False) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    least = 2 if below else LEAST_COLUMNS
    return (
        len(filled) >= least
        and (below or len(set(filled)) == len(filled))
        and not any(_VALUE.fullmatch(cell) for cell in filled)
    )


def _has_gaps(cells: Sequence[str]) -> bool:
    filled = [bool(cell.strip()) for cell in cells]
    return not all(filled)
