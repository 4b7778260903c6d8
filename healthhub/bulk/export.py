"""One export job: every resource as it was at one moment, into files, from wherever it stopped.

Resources are gone through by type and id, a page at a time, each page read as of the job's
moment (store.past). A file that is whole is entered together with the place to go on from, so
that a process that dies costs the part it was at and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg

from healthhub import clock
from healthhub.bulk import jobs, members, parts
from healthhub.bulk.filters import Filters
from healthhub.bulk.jobs import File, Job
from healthhub.bulk.parts import Part
from healthhub.bulk.wanted import Wanted
from healthhub.store import past, wire
from healthhub.store.past import Version

Connection = psycopg.Connection[Any]
PAGE = 4000
PATIENTS = 100
"""Patients whose rows are looked for at a time."""
DELETIONS = 500
"""Entries of one bundle of deletions."""


class Ended(Exception):
    """The client has ended the job, or the process is to stop."""


@dataclass(slots=True)
class Place:
    """Where an export is: type, block of patients, last key; and the numbers of its files."""

    type: int = 0
    block: int = 0
    after: list[str] | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "type": self.type,
            "block": self.block,
            "after": self.after,
            "numbers": dict(self.numbers),
        }


class Export:
    """A run of an export job; ``reader`` is a second connection, on which pages are read ahead."""

    def __init__(
        self,
        conn: Connection,
        reader: Connection,
        job: Job,
        data_dir: Path,
        dsn: str,
        stop: threading.Event,
    ) -> None:
        self._conn, self._reader, self._job, self._stop = conn, reader, job, stop
        self._wanted = Wanted.of(job.asked)
        self._place = Place(**job.place) if job.place else Place()
        self._handled = job.handled
        done = {file.name for file in jobs.files(conn, job.number)}
        self._folder = parts.prepared(data_dir, job.id, done)
        self._filters = Filters(conn, dsn, self._wanted.filters, job.base)
        self._patients: list[UUID] | None = job.patients
        self._open: dict[str, Part] = {}

    def run(self) -> None:
        """Do it all. Raises Ended; whatever is whole then stays for the next run."""
        job = self._job
        if job.as_of is None:
            moment = clock.now()
            self._patients = members.keys(self._conn, self._wanted)
            jobs.begin(self._conn, job.number, moment, self._patients)
        else:
            moment = job.as_of
        jobs.tell(self._conn, job.number, self._handled, "waiting for writers to finish")
        if not past.settle(self._conn, moment, self._go_on):
            raise Ended
        types = self._wanted.numbered()
        try:
            with ThreadPoolExecutor(1) as ahead, self._filters:
                while self._place.type < len(types):
                    self._type(types[self._place.type], moment, ahead)
        finally:
            for part in self._open.values():
                part.drop()

    def _go_on(self) -> bool:
        return not self._stop.is_set() and jobs.wanted(self._conn, self._job.number)

    def _type(self, name: str, moment: datetime, ahead: Executor) -> None:
        """All resources of a type, and then its files."""
        cut = self._wanted.elements_of(name)
        for page in self._pages(name, moment, ahead):
            if not self._go_on():
                raise Ended
            live = [each for each in page if not each.deleted]
            matched = self._filters.matched(name, live, moment)
            for line in past.bodies(self._conn, matched):
                self._add("output", name, _cut(line, cut) if cut else line)
            if self._wanted.since is not None:
                self._deletions(name, [each for each in page if each.deleted])
            last = page[-1]
            self._place.after = [str(last.patient), str(last.id)]
            if any(part.full for part in self._open.values()):
                self._close()
            jobs.tell(
                self._conn,
                self._job.number,
                self._handled,
                f"{self._handled} resources, {name}",
            )
        self._place.type, self._place.block, self._place.after = self._place.type + 1, 0, None
        if self._open:
            self._close()

    def _pages(self, name: str, moment: datetime, ahead: Executor) -> Iterator[list[Version]]:
        """The type's pages; while one is written the next is read."""
        if self._patients is None:
            yield from self._ahead(ahead, lambda after: self._all(name, moment, after))
            return
        blocks = range(0, len(self._patients), PATIENTS)
        for start in blocks[self._place.block :]:
            block = self._patients[start : start + PATIENTS]
            yield from self._ahead(
                ahead, lambda after, block=block: self._some(name, moment, block, after)
            )
            self._place.block, self._place.after = self._place.block + 1, None

    def _ahead(self, ahead: Executor, read: Any) -> Iterator[list[Version]]:
        after = self._place.after
        coming: Future[list[Version]] = ahead.submit(
            read, None if after is None else (UUID(after[0]), UUID(after[1]))
        )
        while page := coming.result():
            coming = ahead.submit(read, (page[-1].patient, page[-1].id))
            yield page

    def _all(
        self, name: str, moment: datetime, after: tuple[UUID, UUID] | None
    ) -> list[Version]:
        return past.page(
            self._reader,
            name,
            moment,
            None if after is None else after[1],
            PAGE,
            since=self._wanted.since,
            owned=self._wanted.level != "system",
        )

    def _some(
        self,
        name: str,
        moment: datetime,
        block: Sequence[UUID],
        after: tuple[UUID, UUID] | None,
    ) -> list[Version]:
        return past.page_of(
            self._reader, name, moment, block, after, PAGE, since=self._wanted.since
        )

    def _deletions(self, name: str, gone: Sequence[Version]) -> None:
        """Bundles that delete what is no longer there.

        https://hl7.org/fhir/uv/bulkdata/STU2/export.html (deleted)
        """
        bodies = past.bodies(self._conn, gone)
        for start in range(0, len(bodies), DELETIONS):
            entries = [
                {"request": {"method": "DELETE", "url": f"{name}/{orjson.loads(body)['id']}"}}
                for body in bodies[start : start + DELETIONS]
            ]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            self._add("deleted", "Bundle", orjson.dumps(bundle))

    def _add(self, role: str, kind: str, line: bytes) -> None:
        key = kind if role == "output" else role
        part = self._open.get(key)
        if part is None:
            number = self._place.numbers[key] = self._place.numbers.get(key, 0) + 1
            name = f"{key}.{number}{parts.SUFFIX}"
            part = self._open[key] = Part(self._folder, name, role, kind)
        part.add(line)
        self._handled += 1

    def _close(self) -> None:
        """Make the open files whole, and enter them with the place that they reach to."""
        made: list[File] = [part.close() for part in self._open.values()]
        self._open.clear()
        jobs.checkpoint(self._conn, self._job.number, made, self._place.kept(), self._handled)


_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}


def _cut(line: bytes, elements: frozenset[str]) -> bytes:
    """The resource with these elements alone, marked as incomplete.

    http://hl7.org/fhir/R4/search.html#elements
    """
    body = wire.reload(line)
    kept = {
        name: value
        for name, value in body.items()
        if name in ("resourceType", "id") or name.lstrip("_") in elements
    }
    meta = body.get("meta", {})
    kept["meta"] = meta | {"tag": [*meta.get("tag", ()), _SUBSETTED]}
    return wire.dumps(kept)
