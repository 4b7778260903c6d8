"""Making the index anew from the bodies, while the hub runs; a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from healthhub.store import concepts, own_parameters, rows, types, words
from healthhub.store.differences import Difference, find, ranges

BATCH = 200
_LOCK = 0x7265696E646578
"""Key of the advisory lock that lets one run work at a time ("reindex" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ranges of ids done of all, rows seen in this start, rows put right."""

    done: int
    of: int
    seen: int
    righted: int


class Busy(Exception):
    """Another run is at work."""


def _fresh(connection: Connection, started_at: Any) -> bool:
    """Whether no search parameter has changed since a run began: else it begins again."""
    return not _one(
        connection,
        "select exists (select from public.resource where type = 93 and updated > %s)",
        started_at,
    )


def verify(connection: Connection, tell: Callable[[Progress], None]) -> Iterator[Difference]:
    """All rows whose entries do not follow from their bodies. ``connection`` is in no
    transaction, with autocommit."""
    parts, seen, wrong = ranges(connection), 0, 0
    for number in range(parts):
        for difference in find(connection, number, parts):
            seen += 1
            if difference is not None:
                wrong += 1
                yield difference
        tell(Progress(number + 1, parts, seen, wrong))


def reindex(connection: Connection, tell: Callable[[Progress], None]) -> Progress:
    """Put every row's entries right; Busy when another run is at work.

    The run is noted in ``index_run`` and continued by the next start until it is finished.
    """
    if not _one(connection, "select pg_try_advisory_lock(%s)", _LOCK):
        raise Busy
    try:
        own_parameters.settle(connection)
        run, parts, done, righted = _run(connection)
        seen = 0
        progress = Progress(done, parts, seen, righted)
        for number in range(done, parts):
            wrong: list[Difference] = []
            for difference in find(connection, number, parts):
                seen += 1
                if difference is not None:
                    wrong.append(difference)
            wrong.sort(key=_order)
            for start in range(0, len(wrong), BATCH):
                with connection.transaction():
                    _right(connection, wrong[start : start + BATCH])
            righted += len(wrong)
            connection.execute(
                "update index_run set done = %s, righted = %s, changed_at = now(),"
                " finished_at = case when %s then now() end where id = %s",
                (number + 1, righted, number + 1 == parts, run),
            )
            progress = Progress(number + 1, parts, seen, righted)
            tell(progress)
        return progress
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


def _run(connection: Connection) -> tuple[int, int, int, int]:
    """The run that goes on, or a new one."""
    found = connection.execute(
        "select id, ranges, done, righted, started_at from index_run where finished_at is null"
    ).fetchone()
    row = found[:4] if found else None
    if found is not None and not _fresh(connection, found[4]):
        connection.execute("delete from index_run where id = %s", (found[0],))
        row = None
    if row is None:
        row = connection.execute(
            "insert into index_run (ranges) values (%s) returning id, ranges, done, righted",
            (ranges(connection),),
        ).fetchone()
    assert row is not None  # noqa: S101 - insert returning gives a row
    return row


def _order(difference: Difference) -> tuple[int, Any]:
    """The order in which all writers lock rows."""
    return types.NUMBERS.get(difference.type, 0), difference.id


_HOLD = """select r.type, r.id from unnest(%b::smallint[], %b::uuid[], %b::int[]) u(type, id, version)
    join resource r using (type, id) where r.version = u.version
    order by r.type, r.id for update of r"""
_UPDATE = """update resource r set tokens = u.tokens::bigint[], spans = u.spans::bigint[],
       present = u.present, at_start = u.at_start, at_end = u.at_end,
       concept = u.concept
  from unnest(%b::smallint[], %b::uuid[], %b::text[], %b::text[], %b::bigint[],
              %b::timestamptz[], %b::timestamptz[], %b::int[])
       u(type, id, tokens, spans, present, at_start, at_end, concept)
 where r.type = u.type and r.id = u.id"""


def _right(connection: Connection, some: Sequence[Difference]) -> None:
    """Put some rows right. A row that was written since is right already: it is left alone."""
    known = [each for each in some if each.version]
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            _HOLD,
            (
                [types.NUMBERS[each.type] for each in known],
                [each.id for each in known],
                [each.version for each in known],
            ),
        )
        held = {(types.name(kind), key) for kind, key in cursor}
    still = [each for each in known if (each.type, each.id) in held]
    stray = [each for each in some if not each.version]
    rows.correct(connection, [_entries_of(each) for each in (*still, *stray)])
    if not still:
        return
    words.keep(connection, [each.entries for each in still])
    concepts.keep(connection, [each.entries.concept for each in still])
    clinical = [each.entries.clinical for each in still]
    connection.cursor(binary=True).execute(
        _UPDATE,
        (
            [types.NUMBERS[each.type] for each in still],
            [each.id for each in still],
            [rows.array(sorted(each.entries.tokens)) for each in still],
            [(flat := each.entries.flat) and rows.array(flat) for each in still],
            [each.entries.present for each in still],
            [start for start, _ in clinical],
            [end for _, end in clinical],
            [each.entries.number for each in still],
        ),
    )


def _entries_of(each: Difference) -> rows.Correction:
    return rows.Correction(
        each.patient,
        each.id,
        types.NUMBERS.get(each.type, 0),
        each.identifiers,
        each.texts,
        each.entries,
    )


def _one(connection: Connection, sql: Any, *values: Any) -> Any:
    row = connection.execute(sql, values).fetchone()
    return None if row is None else row[0]
