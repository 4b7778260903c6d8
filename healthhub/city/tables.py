"""What is put down to be fetched: files in a watched folder, or rows in the views of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from healthhub.city import moments
from healthhub.city.channels import FILE, Channel, Folder, Objects, Place, Views
from healthhub.city.moments import Moment
from healthhub.city.sent import Sent

ROWS = 2000
"""Rows between two commits of a history, so that a poll has something to read."""


class FileWriter:
    """Whole files; one that was handed in before is not handed in again, so that a history that
    is told again says nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, sent: Sent) -> None:
        """A file."""
        self._hand_in(sent.control, sent.raw)

    def flush(self) -> None:
        """Nothing is held."""

    def now(self) -> None:
        """Nothing is held."""

    def waiting(self) -> bool:
        """Whether files lie there that the hub has not taken yet."""
        return any(path.is_file() for path in self._folder.iterdir())

    def close(self) -> None:
        """Nothing is open."""

    def _hand_in(self, name: str, raw: bytes) -> None:
        if any((self._folder / place / name).exists() for place in ("", "done", "failed")):
            return
        part = self._folder / f"{name}.part"
        part.write_bytes(raw)
        part.rename(self._folder / name)


class FolderWriter(FileWriter):
    """Files of a quarter's rows each. A row that changes within the quarter begins a new file."""

    def __init__(self, channel: Folder, folder: Path) -> None:
        super().__init__(folder)
        self._book = channel.book
        self._held: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._quarter = ""
        self._part = 0
        self._last: Moment = 0

    def put(self, sent: Sent) -> None:
        """A row, or a whole file."""
        if sent.kind == FILE:
            super().put(sent)
            return
        quarter = _quarter(sent.at)
        row = orjson.loads(sent.raw)
        known = self._held.get(sent.kind, {}).get(sent.control)
        if quarter != self._quarter:
            self.flush()
            self._quarter, self._part = quarter, 0
        elif known is not None and known != row:
            self.flush()
        self._held.setdefault(sent.kind, {})[sent.control] = row
        self._last = sent.at

    def flush(self) -> None:
        """Hand in what is held."""
        stamp = self._quarter + (f"续{self._part}" if self._part else "")
        for kind, rows in self._held.items():
            self._hand_in(*self._book(kind, list(rows.values()), stamp))
        self._part += bool(self._held)
        self._held = {}

    def now(self) -> None:
        """Hand in what is held under the moment's name, as somebody does who has just typed it."""
        self._quarter, self._part = moments.digits14(self._last), 0
        self.flush()


class ViewsWriter:
    """The tables that the views show. A row replaces that of its key unless that is newer."""

    def __init__(self, channel: Views, path: Path) -> None:
        self._views = channel.views
        self._charset = channel.charset
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path)
        self._base.execute("pragma journal_mode = wal")
        self._count = 0
        for name, view in channel.views.items():
            columns = ", ".join(f"{column} text" for column in view.columns)
            key = ", ".join(view.key)
            self._base.execute(
                f"create table if not exists {name} ({columns}, primary key ({key}))"
            )
            self._base.execute(
                f"create index if not exists {name}_changed on {name} ({view.changed})"
            )
        self._base.commit()

    def put(self, sent: Sent) -> None:
        """A row."""
        view, cells = self._views[sent.kind], orjson.loads(sent.raw)
        columns = ", ".join(view.columns)
        marks = ", ".join("?" for _ in view.columns)
        news = ", ".join(f"{c} = excluded.{c}" for c in view.columns)
        self._base.execute(
            f"insert into {sent.kind} ({columns}) values ({marks}) on conflict do update "  # noqa: S608 - names of our own
            f"set {news} where excluded.{view.changed} > {sent.kind}.{view.changed}",
            [self._written(cells.get(column, "")) for column in view.columns],
        )
        self._count += 1
        if self._count % ROWS == 0:
            self.flush()

    def _written(self, value: object) -> object:
        """Chinese text as the bytes that it is in the database's own charset."""
        if not isinstance(value, str) or value.isascii():
            return value
        return value.encode(self._charset)

    def flush(self) -> None:
        """Make what was put visible."""
        self._base.commit()

    def now(self) -> None:
        """The same."""
        self.flush()

    def newest(self) -> dict[str, str]:
        """The last value of each view's column of change, by the view's name."""
        found: dict[str, str] = {}
        for name, view in self._views.items():
            (value,) = self._base.execute(f"select max({view.changed}) from {name}").fetchone()  # noqa: S608
            if value is not None:
                found[name] = value
        return found

    def close(self) -> None:
        """Close the database."""
        self._base.commit()
        self._base.close()


def writer(channel: Channel, source: str, place: Place) -> FileWriter | ViewsWriter | None:
    """The writer of a channel from which the hub fetches; None for one of messages."""
    if isinstance(channel, Objects):
        return FileWriter(place.feed(source))
    if isinstance(channel, Folder):
        return FolderWriter(channel, place.feed(source))
    if isinstance(channel, Views):
        return ViewsWriter(channel, channel.database(source, place))
    return None


def _quarter(at: Moment) -> str:
    day = moments.day_of(at)
    return f"{day.year}年{(day.month + 2) // 3}季度"
