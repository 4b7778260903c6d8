"""Files of tables, and rows of views, on their way to being durable: cut, compared, kept."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psycopg

from healthhub import clock
from healthhub.adapter_api import BadMessage, registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert.sheets import Cut, Cutter, Refused
from healthhub.errors import SettingError, TryAgain
from healthhub.keep import rows
from healthhub.keep.rows import Counts, Versioned
from healthhub.mapping.library import Library
from healthhub.model.message import Envelope, Incoming
from healthhub.receive.advice import bilingual
from healthhub.settings import Settings, Source

log = logging.getLogger(__name__)

BATCH = 500
"""Rows in one transaction."""
SHOWN = 100
"""Refusals that the sender is told one by one."""
HEAD_BYTES = 64 * 2**10
"""What is kept of a file that cannot be read at all."""
REQUIRED = "101"  # HL7 table 0357: required field missing


@dataclass(slots=True)
class Told:
    """What became of a file: the counts, and the first refusals with their places."""

    counts: Counts = field(default_factory=Counts)
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class Taker:
    """Takes the rows of one source. ``via`` of a message names file and row, or view."""

    def __init__(self, name: str, source: Source, library: Library, most: int) -> None:
        self.name = name
        self.source = source
        self.definition = library.definition(source.mapping)
        adapter = registry.find(source.adapter)
        if not isinstance(adapter, SheetReader) or not self.definition.tables:
            raise SettingError(
                f"source {name}: adapter {source.adapter} with mapping {source.mapping} reads no "
                'tables; set adapter = "tabular" and a mapping that declares `tables`',
                expression=f"sources.{name}.adapter",
            )
        self._adapter = adapter
        self.most = most
        self.cutter = Cutter(self.definition.tables, source.zone)

    def file(self, conn: psycopg.Connection, path: Path, shown: str, via: str) -> Told:
        """Keep what a file says, batch by batch; raises TryAgain while too much waits.

        Reading it again says nothing new, so after any interruption it is simply read again.
        """
        told = Told()
        messages = self.every_cut(path, shown)
        while batch := list(islice(messages, BATCH)):
            self._keep(conn, batch, via, told)
        return told

    def every_cut(self, path: Path, shown: str) -> Iterator[Cut | Refused]:
        """The messages of a file; where it cannot be read on, its beginning as refused."""
        try:
            yield from self.cuts(path, shown)
        except BadMessage as error:
            with path.open("rb") as opened:
                head = opened.read(HEAD_BYTES)
            yield Refused(f"{shown} {error.place}", error.message, head)

    def cuts(self, path: Path, shown: str) -> Iterator[Cut | Refused]:
        """The messages of a file and what of it is refused, streamed; raises BadMessage."""
        return self.cutter.sheets(self._adapter.sheets(path, self.source), shown)

    def versions(self, cuts: Iterable[Cut]) -> list[Versioned]:
        """Messages as what their rows say now, for comparison alone."""
        return [self.versioned(cut, "") for cut in cuts]

    def _keep(
        self, conn: psycopg.Connection, batch: list[Cut | Refused], via: str, told: Told
    ) -> None:
        with conn.transaction():
            if rows.waiting(conn, self.most):
                raise TryAgain("too many messages wait to be processed; send again in a minute")
            told.counts += self.keep(conn, batch, via)
        for each in batch:
            if isinstance(each, Refused) and len(told.refused) < SHOWN:
                told.refused.append((each.place, each.reason))

    def keep(
        self, conn: psycopg.Connection, batch: Iterable[Cut | Refused], via: str
    ) -> Counts:
        """Keep messages in the caller's transaction."""
        good: list[Cut] = []
        bad: list[Incoming] = []
        for each in batch:
            if isinstance(each, Cut):
                good.append(each)
            else:
                bad.append(self.rejected(each, via))
        counts = rows.keep(conn, self.name, (self.versioned(cut, via) for cut in good))
        if bad:
            rows.insert_all(conn, bad)
            log.info("reject source=%s rows=%d", self.name, len(bad))
        return counts + Counts(rejected=len(bad))

    def versioned(self, cut: Cut, via: str, reserved: int = 0) -> Versioned:
        """What a cut says, as it is compared with what its row last said."""

        def write(revision: int, before: bytes | None, back: bool) -> Incoming:
            return self._incoming(
                self.cutter.revised(cut, revision, before, back=back), f"{via} {cut.place}"
            )

        head = cut.head
        return Versioned(head.table, cut.key, cut.digest, write, head.gone, reserved)

    def withdrawn(self, table: str, key: str, via: str) -> Versioned:
        """The going of a row that a view no longer holds."""

        def write(revision: int, before: bytes | None, back: bool) -> Incoming:
            return self._incoming(self.cutter.withdrawn(table, key, revision, before), via)

        return Versioned(table, key, b"", write, gone=True)

    def _incoming(self, raw: bytes, via: str) -> Incoming:
        envelope: Envelope = self._adapter.envelope(raw, self.source)
        return Incoming(self.name, raw, clock.now(), via, envelope)

    def rejected(self, refused: Refused, via: str) -> Incoming:
        """A row that can be no message, as it is kept."""
        said = f"{REQUIRED} {refused.place} {bilingual(refused.reason, REQUIRED)}"
        return Incoming(
            self.name, refused.raw, clock.now(), f"{via} {refused.place}", None, said
        )


@contextlib.contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection whose transactions are those that are asked for."""
    with psycopg.connect(
        dsn, autocommit=True, connect_timeout=5, application_name="healthhub tables"
    ) as conn:
        yield conn


def taker(settings: Settings, name: str) -> Taker:
    """The taker of a source of tables that the settings know."""
    library = Library(settings.mappings_dir)
    return Taker(name, settings.sources[name], library, settings.pipeline.max_backlog)
