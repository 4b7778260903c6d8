"""Rows of tables: what each last said, so that a row sent again is nothing and a changed one
is a revision, and how far each view has been read. All of it in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg
from psycopg.errors import SerializationFailure

from healthhub.keep import insert, raw
from healthhub.model.message import Incoming

_LOCK = 0x524F5753  # "ROWS": one writer of a source's rows at a time, or several beside


@dataclass(frozen=True, slots=True)
class Versioned:
    """What a row says now. ``write`` makes its message from the revision's number, the bytes of
    the last revision (None: there is none, or they were dropped), and whether the row is back
    after it was gone."""

    table: str
    key: str
    digest: bytes
    write: Callable[[int, bytes | None, bool], Incoming]
    gone: bool = False
    reserved: int = 0
    """The id that its message is to have; 0 where none was reserved."""


Insert = Callable[[psycopg.Connection, Sequence[Versioned], Sequence[Incoming]], list[int]]
"""Makes messages of rows durable; gives their ids, in order."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of rows."""

    kept: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.kept + other.kept,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a view has been read: the last value of its column of change, as text; when all
    its keys were last compared; what stands in the way."""

    position: str = ""
    swept: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Last:
    digest: bytes
    revision: int
    message: int
    day: date
    gone: bool


def keep(conn: psycopg.Connection, source: str, rows: Iterable[Versioned]) -> Counts:
    """Make messages of the rows that say something new; call it within a transaction.

    Rows of one key are taken in their order. The transaction's commit waits for the disk
    whatever the connection's setting, so that what was read need not be read again.
    """
    conn.execute("set local synchronous_commit = on")
    conn.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, source))
    return _in_order(conn, source, rows, lambda conn, _, incoming: insert_all(conn, incoming))


def keep_beside(
    conn: psycopg.Connection, source: str, rows: Iterable[Versioned], make: Insert
) -> Counts:
    """The same for one of several processes that share the rows of a source among them, none
    of the others' keys among its own; ``make`` makes the messages durable.

    They wait only for who writes the source's rows alone. Should two have had the same key
    after all, the later one gets a SerializationFailure and is to try again.
    """
    conn.execute("select pg_advisory_xact_lock_shared(%s, hashtext(%s))", (_LOCK, source))
    return _in_order(conn, source, rows, make)


def _in_order(
    conn: psycopg.Connection, source: str, rows: Iterable[Versioned], make: Insert
) -> Counts:
    counts = Counts()
    batch: dict[tuple[str, str], Versioned] = {}
    for row in rows:
        if (row.table, row.key) in batch:
            counts += _keep(conn, source, list(batch.values()), make)
            batch = {}
        batch[(row.table, row.key)] = row
    return counts + _keep(conn, source, list(batch.values()), make)


def unchanged(conn: psycopg.Connection, source: str, rows: Sequence[Versioned]) -> int:
    """How many of the rows say nothing new; nothing is written."""
    known = _known(conn, source, rows) if rows else {}
    return sum(not _changed(row, known.get((row.table, row.key))) for row in rows)


def _keep(
    conn: psycopg.Connection, source: str, batch: Sequence[Versioned], make: Insert
) -> Counts:
    known = _known(conn, source, batch)
    changed = [row for row in batch if _changed(row, known.get((row.table, row.key)))]
    if changed:
        before = raw.fetch(
            conn,
            [last.day for last in known.values()],
            [known[(r.table, r.key)].message for r in changed if (r.table, r.key) in known],
        )
        incoming: list[Incoming] = []
        for row in changed:
            last = known.get((row.table, row.key))
            revision = last.revision + 1 if last else 1
            old = before.get(last.message) if last else None
            incoming.append(row.write(revision, old, last is not None and last.gone))
        ids = make(conn, changed, incoming)
        _note(conn, source, changed, known, ids)
    return Counts(kept=len(changed), unchanged=len(batch) - len(changed))


def _changed(row: Versioned, last: _Last | None) -> bool:
    if last is None:
        return not row.gone  # what was never heard of need not be withdrawn
    return last.digest != row.digest or last.gone != row.gone


def _known(
    conn: psycopg.Connection, source: str, batch: Sequence[Versioned]
) -> dict[tuple[str, str], _Last]:
    found = conn.execute(
        """select r.tab, r.key, r.digest, r.revision, r.message,
                  coalesce((m.received at time zone 'UTC')::date, current_date), r.gone
           from source_row r join unnest(%s::text[], %s::text[]) as u (tab, key)
                using (tab, key)
                left join message m on m.id = r.message
           where r.source = %s""",
        ([row.table for row in batch], [row.key for row in batch], source),
    )
    return {(tab, key): _Last(*rest) for tab, key, *rest in found}


def put(conn: psycopg.Connection, incoming: Sequence[Incoming]) -> Counts:
    """Keep messages in the caller's transaction, whose commit waits for the disk; bytes that a
    source sent before are unchanged."""
    conn.execute("set local synchronous_commit = on")
    ids, fresh = _inserted(conn, incoming)
    again = Counter(id_ for place, id_ in enumerate(ids) if place not in fresh)
    if again:
        conn.execute(
            insert.AGAIN, [list(each) for each in zip(*sorted(again.items()), strict=True)]
        )
    rejected = sum(each.envelope is None for each in incoming)
    kept = sum(incoming[place].envelope is not None for place in fresh)
    return Counts(kept, len(incoming) - rejected - kept, rejected)


def insert_all(conn: psycopg.Connection, incoming: Sequence[Incoming]) -> list[int]:
    """Messages as new ones, in order; gives their ids. Equal bytes are one message."""
    return _inserted(conn, incoming)[0]


def _inserted(
    conn: psycopg.Connection, incoming: Sequence[Incoming]
) -> tuple[list[int], set[int]]:
    """The ids of messages, and the places of those that were not there yet."""
    packer = raw.packer()
    digests = [raw.digest(each.source, each.raw) for each in incoming]
    rows = list(
        dict(
            zip(
                digests,
                (
                    insert.row(each, digest, packer)
                    for each, digest in zip(incoming, digests, strict=True)
                ),
                strict=True,
            )
        ).values()
    )
    for day in sorted({row[insert.DAY] for row in rows}):
        raw.ensure_days(conn, day, 0)
    columns = [list(column) for column in zip(*rows, strict=True)]
    fresh = {id_ for _, id_, _ in conn.execute(insert.KEEP, columns)}
    found = conn.execute(insert.KNOWN, (list(dict.fromkeys(digests)),))
    ids = {bytes(digest): id_ for digest, id_, _ in found}
    first = {digest: place for place, digest in reversed([*enumerate(digests)])}
    return (
        [ids[digest] for digest in digests],
        {place for digest, place in first.items() if ids[digest] in fresh},
    )


def _note(
    conn: psycopg.Connection,
    source: str,
    changed: Sequence[Versioned],
    known: dict[tuple[str, str], _Last],
    ids: Sequence[int],
) -> None:
    revisions = [
        known[(r.table, r.key)].revision + 1 if (r.table, r.key) in known else 1
        for r in changed
    ]
    noted = conn.execute(
        """insert into source_row (source, tab, key, digest, revision, message, gone)
           select %s, * from unnest(%s::text[], %s::text[], %s::bytea[], %s::int[],
                                    %s::bigint[], %s::boolean[])
           on conflict (source, tab, key) do update
              set digest = excluded.digest, revision = excluded.revision,
                  message = excluded.message, gone = excluded.gone
            where source_row.revision < excluded.revision""",
        (
            source,
            [row.table for row in changed],
            [row.key for row in changed],
            [row.digest for row in changed],
            revisions,
            list(ids),
            [row.gone for row in changed],
        ),
    )
    if noted.rowcount != len(changed):
        raise SerializationFailure("another process has written a revision of the same row")


def waiting(conn: psycopg.Connection, most: int) -> bool:
    """Whether so many messages wait to be processed that no more should be taken."""
    row = conn.execute(
        "select count(*) from (select from message_state where state = 'pending' limit %s) w",
        (most,),
    ).fetchone()
    return row is not None and row[0] >= most


@dataclass(frozen=True, slots=True)
class Vanished:
    """What a comparison of all keys has found: how many are held, and which are gone."""

    held: int
    keys: tuple[str, ...]


def vanished(
    conn: psycopg.Connection, source: str, table: str, present: Iterable[str], newest: int
) -> Vanished:
    """Compare the keys of a view with those that were kept of it, in messages up to ``newest``:
    what came after the reading began is not missed in it."""
    conn.execute("create temporary table present (key text) on commit drop")
    with conn.cursor() as cursor, cursor.copy("copy present from stdin") as copy:
        for key in present:
            copy.write_row((key,))
    conn.execute("analyze present")
    held = conn.execute(
        "select count(*) from source_row where source = %s and tab = %s and not gone"
        " and message <= %s",
        (source, table, newest),
    ).fetchone()
    gone = conn.execute(
        """select r.key from source_row r where r.source = %s and r.tab = %s and not r.gone
             and r.message <= %s
             and not exists (select from present p where p.key = r.key) order by r.key""",
        (source, table, newest),
    ).fetchall()
    conn.execute("drop table present")
    return Vanished(held[0] if held else 0, tuple(key for (key,) in gone))


def cursor(conn: psycopg.Connection, source: str, table: str) -> Cursor:
    """How far a view has been read."""
    row = conn.execute(
        "select position, swept, problem from source_cursor where source = %s and tab = %s",
        (source, table),
    ).fetchone()
    return Cursor(*row) if row else Cursor()


def advance(conn: psycopg.Connection, source: str, table: str, at: Cursor) -> None:
    """Note how far a view has been read, in the transaction that keeps its rows."""
    conn.execute(
        """insert into source_cursor (source, tab, position, swept, problem)
           values (%s, %s, %s, %s, %s)
           on conflict (source, tab) do update set position = excluded.position,
               swept = excluded.swept, problem = excluded.problem, at = now()""",
        (source, table, at.position, at.swept, at.problem),
    )


def trouble(conn: psycopg.Connection, source: str, problem: str) -> None:
    """Note what stands in the way of a source's views or folder, or that nothing does any
    more. The row without a table says since when."""
    conn.execute(
        """update source_cursor set problem = %(problem)s,
                  at = case when tab = '' and problem = '' then now() else at end
            where source = %(source)s and problem <> %(problem)s""",
        {"problem": problem, "source": source},
    )
    if problem:
        conn.execute(
            """insert into source_cursor (source, tab, position, problem)
               values (%s, '', '', %s) on conflict (source, tab) do nothing""",
            (source, problem),
        )


def problems(conn: psycopg.Connection, patience: timedelta) -> dict[str, str]:
    """What has stood in the way of polling a source for so long."""
    found = conn.execute(
        """select source, problem from source_cursor
            where tab = '' and problem <> '' and at <= now() - %s""",
        (patience,),
    )
    return dict(found.fetchall())


def pending_since(conn: psycopg.Connection) -> datetime | None:
    """Since when the first of the pending messages waits (a replay makes it wait anew)."""
    found = conn.execute(
        "select changed from message_state where state = 'pending' order by id limit 1"
    ).fetchone()
    return found[0] if found else None
