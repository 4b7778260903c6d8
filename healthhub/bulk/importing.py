"""One import job: NDJSON written as clients' updates are, in batches, from wherever it stopped.

A batch is one transaction, and what it reached is entered in it: a process that dies loses the
batch it was at and repeats nothing. What is there already, equal, makes no new version.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson
import psycopg
from psycopg.types.json import Jsonb

from healthhub.access import audit, holdings, standing
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.policy import Action, require
from healthhub.bulk import inputs, jobs, parts
from healthhub.bulk.export import Ended
from healthhub.bulk.jobs import Job
from healthhub.bulk.parts import Part
from healthhub.convert.forms import Forms
from healthhub.errors import Forbidden, HubError, InvalidRequest
from healthhub.model.ids import SHARED
from healthhub.pipeline import direct
from healthhub.pipeline.intent import Intent, Outcome
from healthhub.settings import Bulk
from healthhub.store import changes

Connection = psycopg.Connection[Any]
BATCH = 250
BATCH_BYTES = 4 * 2**20
MOST_ERRORS = 10_000
COMMAND = "command:"
"""Stands before the name of the account of the machine that runs ``healthhub import``."""
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can be stored."""

    number: int
    intent: Intent


class Import:
    """A run of an import job."""

    def __init__(
        self, conn: Connection, job: Job, data_dir: Path, settings: Bulk, stop: threading.Event
    ) -> None:
        self._conn, self._job, self._settings, self._stop = conn, job, settings, stop
        self._inputs: list[dict[str, str]] = job.asked["inputs"]
        place = job.place or {"input": 0, "line": 0, "taken": [0] * len(self._inputs)}
        self._input: int = place["input"]
        self._line: int = place["line"]
        self._taken: list[int] = place["taken"]
        self._handled = job.handled
        self._folder = _folder(data_dir, job)
        self._forms = Forms()
        self._who = _writer(conn, job)

    def run(self) -> None:
        """Do it all. Raises Ended; what was stored stays, and the next run goes on after it."""
        while self._input < len(self._inputs):
            named = self._inputs[self._input]
            path = inputs.local(named["url"], self._settings, self._folder, self._input)
            for batch in self._batches(path, self._line):
                if self._stop.is_set() or not jobs.wanted(self._conn, self._job.number):
                    raise Ended
                self._take(batch, named["type"])
            self._input, self._line = self._input + 1, 0
            with self._conn.transaction():
                self._keep(self._conn)
        self._write_errors()

    def _batches(self, path: Path, after: int) -> Iterator[list[tuple[int, bytes]]]:
        batch: list[tuple[int, bytes]] = []
        size = 0
        for number, line in inputs.lines(path, after, self._settings.max_import_bytes):
            batch.append((number, line))
            size += len(line)
            if len(batch) == BATCH or size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _take(self, batch: Sequence[tuple[int, bytes]], kind: str) -> None:
        """Store a batch; if that fails, each line by itself, so that only those at fault stay out."""
        good: list[Line] = []
        faults: list[tuple[int, HubError]] = []
        for number, text in batch:
            if not text.strip():
                continue
            try:
                good.append(Line(number, self._read(text, kind)))
            except HubError as error:
                faults.append((number, error))
        last = batch[-1][0]
        distinct = {(line.intent.type, line.intent.id) for line in good}
        try:
            if len(distinct) < len(good):
                raise InvalidRequest("a resource comes twice in a batch; each line by itself")
            self._store(good, faults, last)
        except HubError:
            for line in good:
                try:
                    before = [fault for fault in faults if fault[0] < line.number]
                    self._store([line], before, line.number)
                except HubError as error:
                    faults.append((line.number, error))
            self._store([], faults, last)

    def _read(self, text: bytes, kind: str) -> Intent:
        body = holdings.loads(text)
        named = body.get("resourceType")
        if named not in holdings.TYPES or (kind and named != kind):
            raise InvalidRequest(
                f"the line is no {kind}" if kind else "the line is no resource that is stored",
                expression="resourceType",
            )
        fhir_id = body.get("id")
        if not isinstance(fhir_id, str) or not _ID.fullmatch(fhir_id):
            raise InvalidRequest(
                "the resource has no id of 1 to 64 letters, digits, '-' and '.'; give it one, so "
                "that the same input is the same resource",
                expression=f"{named}.id",
            )
        self._forms.check(body)
        return Intent("update", named, fhir_id, body=body)

    def _store(
        self, good: Sequence[Line], faults: Sequence[tuple[int, HubError]], last: int
    ) -> None:
        def seal(conn: Connection, outcomes: Sequence[Outcome]) -> None:
            stored = [each.stored for each in outcomes if each.stored is not None]
            changes.sign(conn, stored, self._job.owner, self._job.purpose)
            owners = dict.fromkeys(each.patient for each in stored)
            owners.pop(SHARED, None)
            event = audit.Event(
                self._who,
                Purpose(self._job.purpose),
                Action.IMPORT,
                patients=tuple(owners),
                ids=tuple(f"{line.intent.type}/{line.intent.id}" for line in good),
                query=f"$bulk/{self._job.id} input {self._input} to line {last}",
            )
            conn.execute(audit.INSERT, (audit.as_parameter([event]),))
            self._enter(conn, faults)
            self._keep(conn)

        before = self._line, self._handled, self._taken[self._input]
        self._line, self._handled = last, self._handled + len(good)
        self._taken[self._input] += len(good)
        try:
            if good:
                direct.perform(self._conn, [line.intent for line in good], "", seal)
            else:
                with self._conn.transaction():
                    self._enter(self._conn, faults)
                    self._keep(self._conn)
        except BaseException:
            self._line, self._handled, self._taken[self._input] = before
            raise

    def _enter(self, conn: Connection, faults: Sequence[tuple[int, HubError]]) -> None:
        if not faults:
            return
        conn.cursor().executemany(
            "insert into bulk_error (job, input, line, outcome) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            [
                (self._job.number, self._input, number, self._outcome(number, error))
                for number, error in faults
            ],
        )
        row = conn.execute(
            "select count(*) from bulk_error where job = %s", (self._job.number,)
        ).fetchone()
        if row is not None and row[0] > MOST_ERRORS:
            _too_many(self._inputs[self._input]["url"], faults[-1][0])

    def _outcome(self, number: int, error: HubError) -> str:
        """What is wrong with a line, as one line of the error file."""
        url = self._inputs[self._input]["url"]
        issue: dict[str, Any] = {
            "severity": "error",
            "code": error.issue,
            "details": {"text": error.message},
            "diagnostics": f"{url} line {number}",
        }
        if error.expression:
            issue["expression"] = [error.expression]
        return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).decode()

    def _keep(self, conn: Connection) -> None:
        """Enter the place in the transaction of what was stored up to it."""
        place = {"input": self._input, "line": self._line, "taken": self._taken}
        conn.execute(
            "update bulk_job set place = %s, handled = %s, said = %s where number = %s",
            (
                Jsonb(place),
                self._handled,
                f"{self._handled} resources, input {min(self._input + 1, len(self._inputs))}"
                f" of {len(self._inputs)}, line {self._line}",
                self._job.number,
            ),
        )
        jobs.got_on(conn, self._job.number)

    def _write_errors(self) -> None:
        wrong = jobs.errors(self._conn, self._job.number)
        made = []
        if wrong and not jobs.files(self._conn, self._job.number):
            part = Part(self._folder, f"error.1{parts.SUFFIX}", "error", "OperationOutcome")
            for outcome in wrong:
                part.add(outcome.encode())
            made.append(part.close())
        place = {"input": self._input, "line": self._line, "taken": self._taken}
        jobs.checkpoint(self._conn, self._job.number, made, place, self._handled)
        for path in self._folder.glob("input.*"):
            path.unlink()


def _too_many(url: str, line: int) -> NoReturn:
    raise Stopped(
        f"over {MOST_ERRORS} lines are wrong, the last at {url} line {line}; correct them and "
        "import again"
    )


class Stopped(Exception):
    """An import that is given up; the text is for the client."""


def _folder(data_dir: Path, job: Job) -> Path:
    """The job's folder, without what a dead process left half done."""
    folder = parts.folder_of(data_dir, job.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob("*.part"):
        path.unlink()
    return folder


def _writer(conn: Connection, job: Job) -> Actor:
    """Who imports, with the rights of today."""
    if job.owner.startswith(COMMAND):
        return Actor(job.owner, "account", job.owner, frozenset({Role.SYSTEM}))
    who = standing.actor_of(conn, job.owner)
    if who is None:
        raise Forbidden("whoever asked for this import has no right to it any more")
    require(who, Purpose(job.purpose), Action.IMPORT)
    return who
