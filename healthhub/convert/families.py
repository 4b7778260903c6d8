"""Rows of several views, cut one by one, joined to their parents as a poll of the views joins them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from healthhub.adapter_api.tables import RowLine
from healthhub.convert.sheets import Cut, Refused
from healthhub.mapping.tables import Columns

Joint = tuple[str, ...]
"""The parent's table, the child's, and the values that both hold."""


def families(
    columns: Mapping[str, Columns], cuts: Iterable[Cut | Refused]
) -> Iterator[Cut | Refused]:
    """Each parent with the rows of its children. A child whose parent is in no view is refused:
    no message could hold it."""
    found = list(cuts)
    below: dict[Joint, list[Cut]] = {}
    for cut in found:
        if isinstance(cut, Cut) and (child := columns[cut.head.table].table).of:
            joint = (child.of, child.name, *_values(columns, cut, child.on))
            below.setdefault(joint, []).append(cut)
    for cut in found:
        if isinstance(cut, Refused):
            yield cut
        elif not columns[cut.head.table].table.of:
            yield replace(cut, rows=(*cut.rows, *_children(columns, cut, below)))
    for orphans in below.values():
        for cut in orphans:
            reason = "the row that it belongs to is in no view; send both"
            yield Refused(cut.place, reason, orjson.dumps(dict(cut.rows[0].cells)))


def _children(
    columns: Mapping[str, Columns], cut: Cut, below: dict[Joint, list[Cut]]
) -> Iterator[RowLine]:
    for child in (c.table for c in columns.values() if c.table.of == cut.head.table):
        joint = (child.of, child.name, *_values(columns, cut, child.on))
        for each in below.pop(joint, ()):
            yield from each.rows


def _values(columns: Mapping[str, Columns], cut: Cut, names: Sequence[str]) -> tuple[str, ...]:
    """What some columns of a cut's first row hold."""
    row = cut.rows[0]
    of = columns[row.table]
    said = {of.column(heading): (text or "").strip() for heading, text in row.cells.items()}
    return tuple(said.get(name, "") for name in names)
