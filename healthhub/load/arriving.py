"""What a load reads, one after the other: messages, rows, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import psycopg

from healthhub import clock
from healthhub.adapter_api.adapter import Adapter
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.convert.sheets import Cut, Refused
from healthhub.errors import TooLarge
from healthhub.keep import lanes, loads, raw, rows
from healthhub.keep.rows import Cursor
from healthhub.load.containers import Piece, lines, lying_open
from healthhub.load.unpacked import CannotUnpack
from healthhub.model.message import Incoming
from healthhub.receive import files, intake
from healthhub.receive.poll import Poller
from healthhub.receive.tables import HEAD_BYTES, Taker
from healthhub.settings import Source

FILE, VIEW = "file", "view"
OFTEN = 100
"""Messages or rows of a file between two marks."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message or row: the key within which its order is kept, its bytes on the way to a
    process, and how much of the whole it is."""

    key: int
    size: int
    share: float
    what: Incoming | Cut | Refused


@dataclass(frozen=True, slots=True)
class Mark:
    """What is to be noted of ``what`` (a table, a file) once all before it has been taken."""

    what: str
    note: Callable[[psycopg.Connection], None]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that an earlier load took whole, or the beginning of one that it took."""

    share: float
    whole: bool


Reading = Iterator[Item | Mark | Skipped]


class Noted:
    """The files of a load, and how far earlier ones came in them."""

    def __init__(
        self, conn: psycopg.Connection, source: str, pieces: Iterable[Piece], again: bool
    ) -> None:
        self._conn = conn
        self._source = source
        self._pieces = pieces
        self._again = again

    def reading(self, items_of: Callable[[Piece], Iterator[Item]]) -> Reading:
        """What is left of the files, marked as it goes."""
        for piece in self._pieces:
            before = loads.Taken()
            if not self._again:
                before = loads.taken(self._conn, self._source, piece.file)
            if before.whole:
                yield Skipped(piece.size, whole=True)
                continue
            taken, items = before.count, items_of(piece)
            yield Skipped(sum(item.share for item in islice(items, taken)), whole=False)
            for item in items:
                yield item
                taken += 1
                if not taken % OFTEN:
                    yield self._mark(piece, loads.Taken(taken))
            yield self._mark(piece, loads.Taken(taken, whole=True))

    def _mark(self, piece: Piece, how_far: loads.Taken) -> Mark:
        note = partial(loads.note, source=self._source, file=piece.file, how_far=how_far)
        return Mark(piece.file.name, note)


def messages(name: str, source: Source, adapter: Adapter, piece: Piece) -> Iterator[Item]:
    """The messages of a file."""
    for incoming in _incoming(name, source, adapter, piece):
        envelope = incoming.envelope
        patient = envelope.patient if envelope else ""
        digest = b"" if patient else raw.digest(name, incoming.raw)
        size = len(incoming.raw)
        yield Item(lanes.order_key(name, patient, digest), size, size, incoming)


def _incoming(name: str, source: Source, adapter: Adapter, piece: Piece) -> Iterator[Incoming]:
    try:
        with piece.open() as file:
            found = (
                lines(file) if piece.holds_lines else files.of_file(file, piece.name, adapter)
            )
            for each in found:
                yield intake.read(name, source, adapter, each, FILE)[0]
    except (TooLarge, CannotUnpack) as error:
        said = intake.unreadable(BadMessage(error.message))
        yield Incoming(name, _head(piece), clock.now(), FILE, None, said)


def _head(piece: Piece) -> bytes:
    """The beginning of a file; its name, where nothing of it can be read."""
    name = piece.name.encode("utf-8", "replace")
    try:
        with piece.open() as file:
            return file.read(HEAD_BYTES) or name
    except CannotUnpack:
        return name


def sheets(taker: Taker, piece: Piece) -> Iterator[Item]:
    """The rows of a file of tables."""
    try:
        with lying_open(piece) as path:
            for cut in taker.every_cut(path, piece.name):
                yield _row(taker.name, cut)
    except CannotUnpack as error:
        yield _row(taker.name, Refused(piece.name, error.message, _head(piece)))


def views(
    taker: Taker, poller: Poller, conn: psycopg.Connection, told: Callable[[int], None]
) -> Reading:
    """The rows of a database's views, with its cursors."""
    for batch in poller.history(conn, told):
        for cut in batch.cuts:
            yield _row(taker.name, cut, 1.0)
        table = batch.read.table.name
        yield Mark(table, _noting(taker.name, table, batch.at))


def _noting(name: str, table: str, at: Cursor) -> Callable[[psycopg.Connection], None]:
    return lambda conn: rows.advance(conn, name, table, at)


def _row(name: str, cut: Cut | Refused, share: float = 0.0) -> Item:
    """A row. Where nothing says what part of its file it is, it is about as long as its cells."""
    if isinstance(cut, Refused):
        size = len(cut.raw)
        return Item(lanes.order_key(name, "", cut.raw), size, share or size, cut)
    size = sum(len(text or "") + 1 for row in cut.rows for text in row.cells.values())
    key = lanes.order_key(name, cut.head.patient or cut.key, b"")
    return Item(key, size, share or size, cut)
