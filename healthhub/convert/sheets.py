"""Cuts sheets and rows of views into messages: header found, table known, rows of one key together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from healthhub.adapter_api.tables import Head, RowLine, Sheet, parse_head, parse_rows, write
from healthhub.mapping.definition import Table
from healthhub.mapping.functions.sheets import as_written
from healthhub.mapping.functions.times import Moment, parse
from healthhub.mapping.tables import Columns, plain

HEADER_SEARCH = 40
"""Rows at the top of a sheet among which its header must stand."""
FOOTERS = ("合计", "小计", "总计", "共计", "制表", "填表", "审核", "备注", "注:", "打印")
FOOTER_CELLS = 3
"""A line with more filled cells is a row, whatever it begins with."""
SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Cut:
    """A message of rows, before it is known whether it says anything new."""

    head: Head
    rows: tuple[RowLine, ...]
    place: str

    @property
    def key(self) -> str:
        """The business key as one text."""
        return SEPARATOR.join(self.head.key)

    @property
    def digest(self) -> bytes:
        """What the rows say, whatever the order of their cells."""
        said = [[r.table, sorted(r.cells.items()), r.gone] for r in self.rows]
        return blake2b(orjson.dumps([self.head.table, said]), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Refused:
    """A row or sheet that can be no message: where, why, and what of it can be kept."""

    place: str
    reason: str
    raw: bytes
    whole: bool = False
    """A sheet that is of no known table."""


class Cutter:
    """Cuts for one mapping. ``zone`` is that of times that name none."""

    def __init__(self, tables: Mapping[str, Table], zone: str) -> None:
        self.columns = {name: Columns(table) for name, table in tables.items()}
        self.zone = ZoneInfo(zone)

    def sheets(self, sheets: Iterable[Sheet], file: str) -> Iterator[Cut | Refused]:
        """The messages of a file's sheets. ``file`` names it for people."""
        strange: list[Refused] = []
        known = False
        for sheet in sheets:
            for found in self._sheet(sheet, file):
                if isinstance(found, Refused) and found.whole:
                    strange.append(found)
                else:
                    known = True
                    yield found
        if not known:  # beside a table, a sheet of instructions is nothing to remark upon
            yield from strange

    def _sheet(self, sheet: Sheet, file: str) -> Iterator[Cut | Refused]:
        shown = file if sheet.strict else f"{file} sheet {sheet.name}"
        top = list(islice(sheet.rows, HEADER_SEARCH))
        if not top:
            return
        found = self._header(top, (sheet.name, Path(file).stem))
        if found is None:
            yield Refused(
                shown,
                self._no_header(),
                orjson.dumps([cells for _, cells in top[:5]]),
                whole=True,
            )
            return
        columns, headings, position = found
        rows = chain(top[position:], sheet.rows)
        cut = self._rows(columns, headings, rows, shown, strict=sheet.strict)
        yield from self._gathered(columns.table, cut) if columns.table.row else cut

    def _no_header(self) -> str:
        known = "; ".join(
            f"{name}: {', '.join(sorted(needed(c.table)))}" for name, c in self.columns.items()
        )
        return f"no row of the first {HEADER_SEARCH} is the header of a known table ({known})"

    def _header(
        self, top: Sequence[tuple[int, list[str]]], names: Sequence[str]
    ) -> tuple[Columns, list[str], int] | None:
        """The table of a sheet, its headings, and how many of the top rows they end."""
        called = [
            columns
            for columns in self.columns.values()
            if any(fnmatch(plain(n), plain(s)) for n in names for s in columns.table.sources)
        ]
        best: tuple[int, Columns, list[str], int] | None = None
        for columns in called or self.columns.values():
            depth = columns.table.header_rows
            for position in range(len(top) - depth + 1):
                headings = merged([cells for _, cells in top[position : position + depth]])
                known = columns.known(headings)
                if needed(columns.table) <= known and (best is None or len(known) > best[0]):
                    best = (len(known), columns, headings, position + depth)
        return best[1:] if best else None

    def _rows(
        self,
        columns: Columns,
        headings: Sequence[str],
        rows: Iterable[tuple[int, list[str]]],
        shown: str,
        *,
        strict: bool,
    ) -> Iterator[Cut | Refused]:
        repeated = [plain(heading) for heading in headings]
        for number, cells in rows:
            place = f"{shown} row {number}"
            if [plain(cell) for cell in cells] == repeated[: len(cells)] and len(cells) > 1:
                continue  # the header again, as on each printed page
            if _is_footer(cells):
                continue
            if strict and any(cells[len(headings) :]):
                reason = f"has {len(cells)} cells, the header {len(headings)}; quote cells that hold the delimiter"
                yield Refused(place, reason, orjson.dumps(cells))
                continue
            named = {
                headings[i] if i < len(headings) and headings[i] else f"#{i + 1}": cell
                for i, cell in enumerate(cells)
                if cell.strip()
            }
            yield self.row(columns, named, place)

    def row(
        self,
        columns: Columns,
        cells: Mapping[str, str],
        place: str,
        children: Sequence[RowLine] = (),
    ) -> Cut | Refused:
        """One row (and the rows of its children) as a message."""
        table = columns.table
        said = {columns.column(heading): text.strip() for heading, text in cells.items()}
        for column in (*table.key, *((table.patient,) if table.patient else ())):
            if not said.get(column):
                reason = (
                    f"column {column} is empty, and it names the row; fill it and send again"
                )
                return Refused(f"{place} column {column}", reason, orjson.dumps(dict(cells)))
        gone = bool(table.deleted_by) and said.get(table.deleted_by, "") in table.deleted
        head = Head(
            table.name,
            tuple(said[column] for column in table.key),
            said.get(table.patient, ""),
            self.at(said.get(table.at, "")),
            tuple(dict.fromkeys(said[n] for n in table.numbers if said.get(n))),
            gone=gone,
        )
        return Cut(head, (RowLine(table.name, dict(cells), gone), *children), place)

    def at(self, text: str) -> str:
        """A time as the head states it; what is no time stays as it is and is remarked upon."""
        if not text:
            return ""
        moment = parse(as_written(text), self.zone)
        return moment.at.isoformat() if isinstance(moment, Moment) else text

    def revised(self, cut: Cut, revision: int, before: bytes | None, *, back: bool) -> bytes:
        """The message as a revision. Beside the one ``before``: a cell that was filled and is
        empty now is null, a row that the source no longer holds is marked. What is ``back``
        after it was gone counts as of now, so that it is newer than its going."""
        old = self._by_identity(parse_rows(before) if before else ())
        rows: list[RowLine] = []
        for identity, row in self._by_identity(cut.rows).items():
            last = old.pop(identity, None)
            filled = (h for h, t in last.cells.items() if t is not None) if last else ()
            emptied = {heading: None for heading in filled if not row.cells.get(heading)}
            rows.append(RowLine(row.table, {**row.cells, **emptied}, row.gone))
        rows += [RowLine(row.table, row.cells, gone=True) for row in old.values()]
        at = "" if back else cut.head.at
        return write(replace(cut.head, at=at, revision=revision), rows)

    def withdrawn(self, table: str, key: str, revision: int, before: bytes | None) -> bytes:
        """The message that a source's view no longer holds the rows of a key: what was last
        said of them, marked. It counts as of now."""
        if before is None:
            columns = self.columns[table].table.key
            cells = dict(zip(columns, key.split(SEPARATOR), strict=True))
            head = Head(table, tuple(cells.values()), "", revision=revision, gone=True)
            return write(head, [RowLine(table, cells, gone=True)])
        head = replace(parse_head(before), at="", revision=revision, gone=True)
        return write(head, [RowLine(r.table, r.cells, gone=True) for r in parse_rows(before)])

    def _by_identity(self, rows: Iterable[RowLine]) -> dict[tuple[str, ...], RowLine]:
        """Rows of one message by what tells them apart."""
        found: dict[tuple[str, ...], RowLine] = {}
        for row in rows:
            columns = self.columns[row.table]
            table = columns.table
            telling = table.key if table.of else table.row
            said = {columns.column(heading): text or "" for heading, text in row.cells.items()}
            identity = (row.table, *(said.get(column, "") for column in telling))
            while identity in found:
                identity = (*identity, "again")
            found[identity] = row
        return found

    def _gathered(self, table: Table, cuts: Iterable[Cut | Refused]) -> Iterator[Cut | Refused]:
        """Rows of one key as one message, wherever in the sheet they stand: on disk, so that
        a sheet may be of any size."""
        columns = self.columns[table.name]
        with sqlite3.connect("") as store:
            store.execute("pragma journal_mode = off")
            store.execute("create table key (key text primary key, position integer)")
            store.execute("create table row (position integer, cells blob, place text)")
            for cut in cuts:
                if isinstance(cut, Refused):
                    yield cut
                    continue
                position = store.execute("select count(*) from key").fetchone()[0]
                store.execute("insert or ignore into key values (?, ?)", (cut.key, position))
                store.execute(
                    "insert into row select position, ?, ? from key where key = ?",
                    (orjson.dumps(cut.rows[0].cells), cut.place, cut.key),
                )
            found = store.execute(
                "select position, cells, place from row order by position, rowid"
            )
            yield from self._messages(columns, found)

    def _messages(
        self, columns: Columns, rows: Iterable[tuple[int, bytes, str]]
    ) -> Iterator[Cut | Refused]:
        held: list[Cut] = []
        at = -1
        for position, cells, place in rows:
            cut = self.row(columns, orjson.loads(cells), place)
            if position != at and held:
                yield joined(held)
                held = []
            at = position
            if isinstance(cut, Cut):
                held.append(cut)
        if held:
            yield joined(held)


def joined(cuts: Sequence[Cut]) -> Cut:
    """Rows of one key as one message: it is gone when all are, and as late as the last."""
    heads = [cut.head for cut in cuts]
    first = heads[0]
    head = Head(
        first.table,
        first.key,
        first.patient,
        max(h.at for h in heads),
        tuple(dict.fromkeys(n for h in heads for n in h.numbers)),
        gone=all(h.gone for h in heads),
    )
    rows = tuple(row for cut in cuts for row in cut.rows)
    more = f" and {len(cuts) - 1} more" if len(cuts) > 1 else ""
    return Cut(head, rows, cuts[0].place + more)


def _is_footer(cells: Sequence[str]) -> bool:
    """A line below the table (totals, who made it): few cells, the first of which says so."""
    filled = [plain(cell) for cell in cells if cell.strip()]
    return 0 < len(filled) <= FOOTER_CELLS and filled[0].rstrip(":").startswith(FOOTERS)


def needed(table: Table) -> set[str]:
    """The columns without which a header is not that of the table."""
    return {*table.key, *table.row, *table.on, *((table.patient,) if table.patient else ())}


def merged(levels: Sequence[Sequence[str]]) -> list[str]:
    """Headings of a header of one or more rows: a heading that spans several columns stands
    before each of theirs (``血压/收缩压``); equal ones are told apart by ``#2``."""
    width = max(len(level) for level in levels)
    spread: list[list[str]] = []
    for depth, level in enumerate(levels):
        filled, last = [], ""
        for column in range(width):
            text = " ".join(level[column].split()) if column < len(level) else ""
            below = any(
                column < len(rest) and rest[column].strip() for rest in levels[depth + 1 :]
            )
            last = text or (last if below else "")
            filled.append(last)
        spread.append(filled)
    counts: dict[str, int] = {}
    headings: list[str] = []
    for column in range(width):
        heading = "/".join(filter(None, (level[column] for level in spread)))
        counts[heading] = counts.get(heading, 0) + 1
        again = counts[heading] > 1 and heading
        headings.append(f"{heading}#{counts[heading]}" if again else heading)
    return headings
