"""Polls the views of one source: what has changed, what came late, what is gone."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import sqlalchemy as sa

from healthhub import clock, keep
from healthhub.adapter_api.tables import RowLine
from healthhub.convert.sheets import Cut, Refused, joined
from healthhub.errors import HubError, TryAgain
from healthhub.keep import loads, rows
from healthhub.keep.rows import Counts, Cursor
from healthhub.receive import views
from healthhub.receive.tables import Taker
from healthhub.receive.views import View
from healthhub.settings import Database

log = logging.getLogger(__name__)

FEW = 50
"""So many rows may always be gone at once."""


class TooManyGone(HubError):
    """So many rows are gone at once that the view is more likely at fault."""

    code, status = "too-many-gone", 409


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of a view, and the cursor of the view that was ``read`` once they are kept."""

    view: View
    cuts: tuple[Cut | Refused, ...]
    read: View
    at: Cursor


class Poller:
    """One source. It holds nothing between polls but its engine: what has been read stands in
    PostgreSQL, written with the rows."""

    def __init__(self, database: Database, taker: Taker) -> None:
        self._database = database
        self._taker = taker
        self._engine = views.engine(database)
        self._zone = ZoneInfo(taker.source.zone)
        self._most_pending = taker.most

    def close(self) -> None:
        """Let go of the source's database."""
        self._engine.dispose()

    def poll(self, conn: psycopg.Connection, *, sweep: bool = False) -> Counts:
        """Read once what has changed in each view, and all of it when that is due or asked."""
        counts = Counts()
        with self._engine.connect() as source:
            there = self._views(source)
            self._begin(conn, source, there)
            for view in there.values():
                children = [v for v in there.values() if v.table.of == view.table.name]
                if view.table.of:
                    changed = self._changed_children(conn, source, view, there)
                else:
                    changed = self._changed(conn, source, view, children)
                for batch in changed:
                    with conn.transaction():
                        counts += self._keep(conn, batch.cuts, batch.view)
                        rows.advance(conn, self._taker.name, batch.read.table.name, batch.at)
                if not view.table.of and (sweep or self._due(conn, view)):
                    counts += self._sweep(conn, source, view, children)
        return counts

    def history(self, conn: psycopg.Connection, told: Callable[[int], None]) -> Iterator[Batch]:
        """All that was not read yet, for a load: ``told`` learns how many rows are to come. The
        caller keeps each batch and then notes its cursor, in this order.

        Rows without a time of change are read last. A view that had never been read counts as
        compared as a whole when the load began; else the next poll compares it.
        """
        with self._engine.connect() as source:
            there = self._views(source)
            parents = [view for view in there.values() if not view.table.of]
            self._begin(conn, source, there)
            told(sum(self._to_come(conn, source, view) for view in parents))
            for view in parents:
                children = [v for v in there.values() if v.table.of == view.table.name]
                yield from self._whole(conn, source, view, children)
            for view in there.values():
                if view.table.of:
                    yield from self._changed_children(conn, source, view, there)

    def _whole(
        self,
        conn: psycopg.Connection,
        source: sa.Connection,
        view: View,
        children: Sequence[View],
    ) -> Iterator[Batch]:
        """A view from its cursor to its end, then what no cursor finds."""
        began, at = clock.now(), rows.cursor(conn, self._taker.name, view.table.name)
        unread = _is_new(at)
        for batch in self._changed(conn, source, view, children):
            at = batch.at
            yield batch
        for batch in views.unstamped(source, view, self._database.batch):
            yield Batch(view, tuple(self._cuts(source, view, batch, children)), view, at)
        if unread:
            yield Batch(view, (), view, replace(at, swept=began))

    def _to_come(self, conn: psycopg.Connection, source: sa.Connection, view: View) -> int:
        at = rows.cursor(conn, self._taker.name, view.table.name)
        return views.count(source, view, self._since(at.position))

    def _begin(
        self, conn: psycopg.Connection, source: sa.Connection, there: Mapping[str, View]
    ) -> None:
        """Where parents were never read they are about to be, with their children: of these,
        only what changes from now on need be looked for."""
        name = self._taker.name
        for view in there.values():
            parent = there.get(view.table.of)
            if parent is None or view.change is None:
                continue
            cursors = [rows.cursor(conn, name, v.table.name) for v in (parent, view)]
            if all(map(_is_new, cursors)) and (row := views.latest(source, view)):
                position = self._position("", view, [row])
                at = replace(cursors[1], position=position)
                rows.advance(conn, name, view.table.name, at)

    def _views(self, source: sa.Connection) -> dict[str, View]:
        found: dict[str, View] = {}
        for name, columns in self._taker.cutter.columns.items():
            plain = (s for s in columns.table.sources if not set(s) & set("*?["))
            first = "" if self._database.views else next(plain, "")
            called = self._database.views.get(name, first)
            if called:
                charset = self._taker.source.charset
                found[name] = views.view(source, columns, called, charset)
        return found

    def _due(self, conn: psycopg.Connection, view: View) -> bool:
        swept = rows.cursor(conn, self._taker.name, view.table.name).swept
        return swept is None or clock.now() - swept >= timedelta(
            hours=self._database.sweep_hours
        )

    def _since(self, position: str) -> Any:
        """Where to begin: the last value read, less the overlap."""
        database = self._database
        last = views.unpacked(position)
        return views.earlier(last, database.overlap_seconds, database.overlap_numbers)

    def _changed(
        self,
        conn: psycopg.Connection,
        source: sa.Connection,
        view: View,
        children: Sequence[View],
    ) -> Iterator[Batch]:
        """What has changed in a view since it was last read."""
        if view.change is None:
            return
        at = rows.cursor(conn, self._taker.name, view.table.name)
        for batch in views.rows(source, view, self._since(at.position), self._database.batch):
            at = replace(at, position=self._position(at.position, view, batch))
            yield Batch(view, tuple(self._cuts(source, view, batch, children)), view, at)

    def _changed_children(
        self,
        conn: psycopg.Connection,
        source: sa.Connection,
        view: View,
        there: Mapping[str, View],
    ) -> Iterator[Batch]:
        """What has changed in a view of children: their parents are read again, whole."""
        parent = there.get(view.table.of)
        if view.change is None or parent is None:
            return
        siblings = [v for v in there.values() if v.table.of == view.table.of]
        at = rows.cursor(conn, self._taker.name, view.table.name)
        for batch in views.rows(source, view, self._since(at.position), self._database.batch):
            keys = _keys(view, view.table.on, batch)
            parents = views.matching(source, parent, view.table.on, keys)
            at = replace(at, position=self._position(at.position, view, batch))
            yield Batch(parent, tuple(self._cuts(source, parent, parents, siblings)), view, at)

    def _position(self, before: str, view: View, batch: Sequence[Mapping[str, Any]]) -> str:
        """The cursor after a batch; it does not go back over the overlap, nor ahead of now."""
        assert view.change is not None  # noqa: S101 - asked by the callers
        value = batch[-1][view.change.name]
        if value is None:
            return before
        now = clock.now().astimezone(self._zone).replace(tzinfo=None)
        last, value = views.unpacked(before), views.not_after(value, now)
        return views.packed(value if last is None or value > last else last)

    def _sweep(
        self,
        conn: psycopg.Connection,
        source: sa.Connection,
        view: View,
        children: Sequence[View],
    ) -> Counts:
        """Read all rows: those that came behind the cursor, and which are there no longer."""
        counts, name = Counts(), view.table.name
        began, newest = clock.now(), keep.newest(conn)
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as present:
            for batch in views.every_row(source, view, self._database.batch):
                cuts = list(self._cuts(source, view, batch, children))
                present.writelines(
                    cut.key.replace("\n", " ") + "\n" for cut in cuts if isinstance(cut, Cut)
                )
                with conn.transaction():
                    counts += self._keep(conn, cuts, view)
            present.seek(0)
            with conn.transaction():
                if self._database.withdraw_missing:
                    keys = (line.rstrip("\n") for line in present)
                    counts += self._withdraw(conn, view, keys, newest)
                at = rows.cursor(conn, self._taker.name, name)
                rows.advance(conn, self._taker.name, name, replace(at, swept=began))
        return counts

    def _withdraw(
        self, conn: psycopg.Connection, view: View, keys: Iterator[str], newest: int
    ) -> Counts:
        name = view.table.name
        found = rows.vanished(conn, self._taker.name, name, keys, newest)
        if len(found.keys) > max(FEW, self._database.most_missing * found.held):
            raise TooManyGone(
                f"{len(found.keys)} of {found.held} rows of {view.selectable.fullname} are gone at "
                "once; nothing was withdrawn. Look at the view; if it is right, raise "
                f"sources.{self._taker.name}.database.most_missing"
            )
        via = f"view {view.selectable.fullname}, compared"
        gone = (self._taker.withdrawn(name, key, via) for key in found.keys)
        return rows.keep(conn, self._taker.name, gone)

    def _keep(
        self, conn: psycopg.Connection, cuts: Sequence[Cut | Refused], view: View
    ) -> Counts:
        if loads.is_loaded(conn, self._taker.name):
            raise TryAgain("a load has the source's history; its views are read again after it")
        if rows.waiting(conn, self._most_pending):
            raise TryAgain("too many messages wait to be processed; the views are read later")
        return self._taker.keep(conn, cuts, "view")

    def _cuts(
        self,
        source: sa.Connection,
        view: View,
        batch: Sequence[Mapping[str, Any]],
        children: Sequence[View],
    ) -> Iterator[Cut | Refused]:
        """Rows of a view, with those of their children, as messages."""
        table = view.table
        if table.row:  # a message holds all rows of its key
            batch = views.matching(source, view, table.key, _keys(view, table.key, batch))
        below = {
            child.table.name: self._children(source, view, batch, child) for child in children
        }
        cutter = self._taker.cutter
        cuts: list[Cut] = []
        for row in batch:
            lines = [
                line
                for child in children
                for line in below[child.table.name].get(_key(view, child.table.on, row), ())
            ]
            place = view.selectable.fullname
            cut = cutter.row(view.columns, views.cells(row), place, lines)
            if isinstance(cut, Refused) or not table.row:
                yield cut
            else:
                cuts.append(cut)
        for _, together in groupby(cuts, key=lambda cut: cut.key):
            yield joined(list(together))

    def _children(
        self,
        source: sa.Connection,
        parent: View,
        batch: Sequence[Mapping[str, Any]],
        child: View,
    ) -> dict[tuple[str, ...], list[RowLine]]:
        """The rows of a child view by what joins them to their parents."""
        keys = _keys(parent, child.table.on, batch)
        found: dict[tuple[str, ...], list[RowLine]] = {}
        for row in views.matching(source, child, child.table.on, keys):
            said = views.cells(row)
            mark = child.named.get(child.table.deleted_by)
            gone = mark is not None and said.get(mark.name, "") in child.table.deleted
            line = RowLine(child.table.name, said, gone)
            found.setdefault(_key(child, child.table.on, row), []).append(line)
        return found


def _is_new(at: Cursor) -> bool:
    """Whether nothing was read yet of the view that the cursor is of."""
    return not at.position and at.swept is None


def _keys(
    view: View, on: Sequence[str], batch: Sequence[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """The values of some columns, each once, without rows that lack one."""
    names = [view.named[column].name for column in on]
    found = dict.fromkeys(tuple(row[name] for name in names) for row in batch)
    return [key for key in found if None not in key]


def _key(view: View, on: Sequence[str], row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(views.text(row[view.named[column].name]).strip() for column in on)
