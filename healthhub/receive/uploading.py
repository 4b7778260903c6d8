"""Files from the console: looked through before they are taken, and taken like any feed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from healthhub import clock
from healthhub.adapter_api import BadMessage, registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert import Converter
from healthhub.convert.explained import Explained
from healthhub.convert.sheets import Cut, Refused
from healthhub.errors import HubError, TryAgain
from healthhub.keep import Keeper, rows, uploads
from healthhub.mapping.library import Library
from healthhub.receive import files
from healthhub.receive.advice import bilingual
from healthhub.receive.intake import fault, unreadable
from healthhub.receive.tables import BATCH, REQUIRED, Taker
from healthhub.receive.unpacking import unpacked
from healthhub.settings import Settings

CONVERTED = 200
"""Messages of a check that are converted; all are read."""
CHECK_SECONDS = 20.0
"""Then a check tells what it has seen so far: whoever waits for the page, and whoever else wants
something, waits no longer."""
SHOWN = 50
FIRST = 3

Connection = psycopg.Connection[Any]
T = TypeVar("T")


@dataclass(slots=True)
class Check:
    """What a file would bring: its messages by kind, how many are known, what is refused and
    where, what conversion finds in the first, and what the very first become."""

    cut: bool = False
    files: int = 0
    messages: int = 0
    known: int = 0
    rejected: int = 0
    converted: int = 0
    resources: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    findings: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    first: list[list[Explained]] = field(default_factory=list[list[Explained]])


class Uploads:
    """Checks and takes the files of one source."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._name, self._settings = name, settings
        self._source = settings.sources[name]
        self._library = Library(settings.mappings_dir)
        self._adapter = registry.find(self._source.adapter)
        self._taker = (
            Taker(name, self._source, self._library, settings.pipeline.max_backlog)
            if isinstance(self._adapter, SheetReader)
            else None
        )

    def check(self, conn: Connection, name: str, content: bytes) -> Check:
        """Look through a file; nothing of it is kept."""
        told, until = Check(), time.monotonic() + CHECK_SECONDS
        converter = Converter(self._name, self._source, self._library)
        with tempfile.TemporaryDirectory(prefix="healthhub-upload-") as folder:
            for path, shown in _files(Path(folder), name, content):
                told.files += 1
                try:
                    self._check_file(conn, path, shown, converter, told, until)
                except BadMessage as error:
                    _refuse(told, f"{shown} {error.place}", bilingual(error.message, ""))
        return told

    def _check_file(
        self,
        conn: Connection,
        path: Path,
        shown: str,
        converter: Converter,
        told: Check,
        until: float,
    ) -> None:
        if self._taker is not None:
            cuts = self._taker.cuts(path, shown)
            while batch := _next(cuts, told, until):
                good = [each for each in batch if isinstance(each, Cut)]
                told.known += rows.unchanged(conn, self._name, self._taker.versions(good))
                for each in batch:
                    if isinstance(each, Refused):
                        _refuse(told, each.place, bilingual(each.reason, REQUIRED))
                    else:
                        raw = self._taker.cutter.revised(each, 1, None, back=False)
                        self._look(each.head.table, raw, converter, told)
            return
        raws = files.messages([path], self._adapter)
        number = 0
        while batch := _next(raws, told, until):
            told.known += uploads.repeated(conn, self._name, batch)
            for raw in batch:
                number += 1
                try:
                    kind = self._adapter.envelope(raw, self._source).kind
                except BadMessage as error:
                    _refuse(told, f"{shown} message {number}", unreadable(error))
                    continue
                self._look(kind, raw, converter, told)

    def _look(self, kind: str, raw: bytes, converter: Converter, told: Check) -> None:
        told.messages += 1
        told.kinds[kind] += 1
        if told.converted >= CONVERTED:
            return
        told.converted += 1
        try:
            made = converter.convert(0, raw, clock.now())
        except HubError as error:
            told.findings[(error.code, "error")] += 1
            return
        told.resources += len(made.drafts)
        for code, severity in {(each.code, each.severity) for each in made.findings}:
            told.findings[(code, severity)] += 1
        if len(told.first) < FIRST:
            told.first.append(converter.explain(0, raw, clock.now()))

    def take(self, conn: Connection, dsn: str, name: str, content: bytes) -> dict[str, Any]:
        """Take a file as a feed: it may be taken again after any interruption. Gives what came
        of it; TryAgain while too much waits."""
        with tempfile.TemporaryDirectory(prefix="healthhub-upload-") as folder:
            found = list(_files(Path(folder), name, content))
            if self._taker is None:
                fed = asyncio.run(self._feed(dsn, [path for path, _ in found]))
                return {
                    "kept": fed.accepted,
                    "unchanged": fed.repeated,
                    "rejected": fed.rejected,
                    "refused": [],
                }
            counts, refused = rows.Counts(), list[tuple[str, str]]()
            for path, shown in found:
                told = self._taker.file(conn, path, shown, "upload")
                counts += told.counts
                refused += told.refused
            return {
                "kept": counts.kept,
                "unchanged": counts.unchanged,
                "rejected": counts.rejected,
                "refused": refused[:SHOWN],
            }

    async def _feed(self, dsn: str, paths: Iterable[Path]) -> files.Fed:
        raws = files.messages(paths, self._adapter)
        async with Keeper(dsn, max_backlog=self._settings.pipeline.max_backlog) as keeper:
            return await files.feed(
                keeper, self._name, self._source, raws, lambda _: None, "upload"
            )


def _files(folder: Path, name: str, content: bytes) -> Iterator[tuple[Path, str]]:
    path = folder / name
    path.write_bytes(content)
    yield from unpacked(path, folder)


def _next(found: Iterator[T], told: Check, until: float) -> list[T]:
    """The next messages; none when there are no more or the time is over."""
    if time.monotonic() >= until:
        told.cut = True
        return []
    return list(islice(found, BATCH))


def _refuse(told: Check, place: str, reason: str) -> None:
    told.rejected += 1
    if len(told.refused) < SHOWN:
        told.refused.append((place, reason))


def work(conn: Connection, settings: Settings, dsn: str) -> bool:
    """Take the file that is next; whether there was one. What fails says so in the console;
    while too much waits it stays next."""
    with conn.transaction():
        found = uploads.next_one(conn)
    if found is None:
        return False
    upload, content = found
    try:
        if upload.source not in settings.sources:
            told: dict[str, Any] = {"problem": "the settings have no such source any more"}
            state = "failed"
        else:
            told = Uploads(settings, upload.source).take(conn, dsn, upload.name, content)
            state = "taken"
    except TryAgain:
        return False
    except HubError as error:
        told, state = {"problem": error.message}, "failed"
    except (psycopg.OperationalError, OSError):
        raise  # the store or the disk: the file is taken once they are well
    except Exception as error:  # noqa: BLE001 - one file's fault must not hold up the others
        fault("upload", error)
        told, state = {"problem": "a fault of the hub; tell its administrator"}, "failed"
    uploads.finish(conn, upload.id, state, told)
    return True
