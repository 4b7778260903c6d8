"""Jobs: asked for by a client, done by the bulk process, seen and ended by the client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from healthhub.errors import NotFound, TooMany

Connection = psycopg.Connection[Any]
Kind = Literal["export", "import"]
LOCK = 0x42554C4B
"""First key of the advisory lock that the process at work on a job holds ("BULK" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its table holds it. ``asked``: what the client wants; ``place``: where a next
    run goes on; ``said``: progress, or why it failed."""

    number: int
    id: UUID
    kind: Kind
    owner: str
    purpose: str
    request: str
    base: str
    asked: dict[str, Any]
    state: str
    as_of: datetime | None
    patients: list[UUID] | None
    place: dict[str, Any]
    handled: int
    said: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class File:
    """A finished file of a job. ``role``: output, error, deleted."""

    name: str
    role: str
    type: str
    count: int


_COLUMNS = """number, id, kind, owner, purpose, request, base, asked, state, as_of, patients,
    place, handled, said, finished_at"""


def ask(
    conn: Connection,
    kind: Kind,
    *,
    owner: str,
    purpose: str,
    request: str,
    base: str,
    asked: dict[str, Any],
    most: int,
) -> UUID:
    """Enter a job; TooMany when ``most`` of the owner's are not finished yet."""
    conn.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, owner))
    row = conn.execute(
        "select count(*) from bulk_job where owner = %s and state in ('waiting', 'running')",
        (owner,),
    ).fetchone()
    if row is not None and row[0] >= most:
        raise TooMany(
            f"{row[0]} of your bulk jobs are not finished; wait for one, or end it with DELETE"
        )
    made = conn.execute(
        """insert into bulk_job (kind, owner, purpose, request, base, asked)
           values (%s, %s, %s, %s, %s, %s) returning id""",
        (kind, owner, purpose, request, base, Jsonb(asked)),
    ).fetchone()
    assert made is not None  # noqa: S101 - an insert gives its row
    conn.execute("notify bulk_job")
    return made[0]


def of_owner(conn: Connection, job: UUID, owner: str) -> Job:
    """A job that the owner may see; NotFound for another's, an ended or a removed one."""
    row = conn.execute(
        f"select {_COLUMNS} from bulk_job"  # noqa: S608
        " where id = %s and owner = %s and state <> 'cancelled'",
        (job, owner),
    ).fetchone()
    if row is None:
        raise NotFound("there is no such job of yours; it was ended, or removed after its time")
    return Job(*row)


def files(conn: Connection, number: int) -> list[File]:
    """The finished files, in the order they were made."""
    rows = conn.execute(
        "select name, role, type, count from bulk_file where job = %s order by name", (number,)
    )
    return [File(*row) for row in rows]


def cancel(conn: Connection, job: UUID, owner: str) -> None:
    """End a job; the bulk process removes its files."""
    number = of_owner(conn, job, owner).number
    conn.execute(
        "update bulk_job set state = 'cancelled', finished_at = clock_timestamp()"
        " where number = %s",
        (number,),
    )
    conn.execute("notify bulk_job")


def claim(conn: Connection) -> Job | None:
    """The oldest job that nobody is at work on, locked until ``release`` or the connection's
    end: what a process left behind when it died is taken up by the next. ``conn`` commits each
    statement by itself."""
    waiting = conn.execute(
        "select number from bulk_job where state in ('waiting', 'running') order by number"
    ).fetchall()
    for (number,) in waiting:
        locked = conn.execute("select pg_try_advisory_lock(%s, %s)", (LOCK, number)).fetchone()
        if locked is None or not locked[0]:
            continue
        row = conn.execute(
            f"""update bulk_job set state = 'running' where number = %s
                and state in ('waiting', 'running') returning {_COLUMNS}""",  # noqa: S608
            (number,),
        ).fetchone()
        if row is not None:
            return Job(*row)
        release(conn, number)
    return None


def take(conn: Connection, job: UUID) -> Job:
    """Claim the job that was just entered, before its transaction shows it to anybody."""
    row = conn.execute(
        f"update bulk_job set state = 'running' where id = %s returning {_COLUMNS}",  # noqa: S608
        (job,),
    ).fetchone()
    if row is None:
        raise NotFound("there is no such job")
    conn.execute("select pg_advisory_lock(%s, %s)", (LOCK, row[0]))
    return Job(*row)


def errors(conn: Connection, number: int) -> list[str]:
    """What is wrong with which line, an OperationOutcome each."""
    rows = conn.execute(
        "select outcome from bulk_error where job = %s order by input, line", (number,)
    )
    return [row[0] for row in rows]


def release(conn: Connection, number: int) -> None:
    """Let go of a claimed job."""
    conn.execute("select pg_advisory_unlock(%s, %s)", (LOCK, number))


def begun(conn: Connection, number: int) -> int:
    """Count a run: how many have begun, this one too, since the job last got on.

    The table is unlogged: a death of PostgreSQL is no job's fault, and empties it.
    """
    row = conn.execute(
        """insert into bulk_run (job, begun) values (%s, 1)
           on conflict (job) do update set begun = bulk_run.begun + 1 returning begun""",
        (number,),
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert gives its row
    return row[0]


def got_on(conn: Connection, number: int) -> None:
    """The job got on, or its run ended in order: earlier deaths were not over this place."""
    conn.execute("delete from bulk_run where job = %s", (number,))


def begin(conn: Connection, number: int, as_of: datetime, patients: list[UUID] | None) -> None:
    """Fix what an export is of, for this run and every later one."""
    conn.execute(
        "update bulk_job set as_of = %s, patients = %s where number = %s",
        (as_of, patients, number),
    )


def wanted(conn: Connection, number: int) -> bool:
    """Whether the job is still to be done."""
    row = conn.execute("select state from bulk_job where number = %s", (number,)).fetchone()
    return row is not None and row[0] == "running"


def tell(conn: Connection, number: int, handled: int, said: str) -> None:
    """Note progress."""
    conn.execute(
        "update bulk_job set handled = %s, said = %s where number = %s and state = 'running'",
        (handled, said, number),
    )


def checkpoint(
    conn: Connection, number: int, made: list[File], place: dict[str, Any], handled: int
) -> None:
    """Note finished files and where to go on, together."""
    with conn.transaction():
        conn.cursor().executemany(
            "insert into bulk_file (job, name, role, type, count) values (%s, %s, %s, %s, %s)",
            [(number, file.name, file.role, file.type, file.count) for file in made],
        )
        conn.execute(
            "update bulk_job set place = %s, handled = %s where number = %s",
            (Jsonb(place, dumps=_dumps), handled, number),
        )
        got_on(conn, number)


def _dumps(value: object) -> bytes:
    return orjson.dumps(value)


def finish(conn: Connection, number: int, state: str, said: str) -> None:
    """Set the outcome, unless the client has ended the job meanwhile."""
    conn.execute(
        """update bulk_job set state = %s, said = %s, finished_at = clock_timestamp()
           where number = %s and state = 'running'""",
        (state, said, number),
    )


def settled(conn: Connection, hours: float) -> list[tuple[int, UUID]]:
    """Ended jobs, and finished ones that were kept long enough: theirs is to be removed."""
    return conn.execute(
        """select number, id from bulk_job where state = 'cancelled'
              or (state in ('done', 'failed')
                  and finished_at < clock_timestamp() - make_interval(secs => %s * 3600))""",
        (hours,),
    ).fetchall()


def remove(conn: Connection, number: int) -> None:
    """Forget a job whose files are gone."""
    conn.execute("delete from bulk_job where number = %s", (number,))


def known(conn: Connection) -> set[str]:
    """The ids of all jobs: a folder of any other is a leftover."""
    return {str(row[0]) for row in conn.execute("select id from bulk_job")}
